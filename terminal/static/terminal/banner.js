// The line above the screen that says why there is no connection, with at most one button.
export class Banner {
  constructor(element, afterwards) {
    this.element = element;
    this.button = element.querySelector("button");
    this.afterwards = afterwards;
  }

  get isHidden() {
    return this.element.hidden;
  }

  show(kind, text, label = "", action = null) {
    this.element.className = `banner ${kind}`;
    this.element.querySelector("span").textContent = text;
    this.button.hidden = !action;
    this.button.textContent = label;
    this.button.onclick = () => {
      this.hide();
      action?.();
      this.afterwards();
    };
    this.element.hidden = false;
  }

  // Shake, because the user has typed; say `text` if nothing is shown yet.
  refuse(text) {
    if (this.isHidden) this.show("needs", text);
    this.element.classList.remove("refuses");
    void this.element.offsetWidth; // Restarts the animation.
    this.element.classList.add("refuses");
  }

  hide() {
    this.element.hidden = true;
  }
}
