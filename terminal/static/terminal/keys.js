// The keys that do not go to the program: copying and pasting as in VS Code on Windows and Linux, Ctrl+Shift with a key,
// and Shift+Enter. On macOS the browser copies and pastes with Cmd.

const SETTING = "terminal-clipboard-keys"; // "off": Ctrl+C and Ctrl+V always go to the program.
const isMac = /mac|iphone|ipad/i.test(navigator.userAgentData?.platform ?? navigator.platform);

// Whether the key has this letter, or is in its place on a keyboard without Latin letters.
function isLetter(event, letter) {
  if (/^[a-z]$/i.test(event.key)) return event.key.toLowerCase() === letter;
  return event.code === `Key${letter.toUpperCase()}`;
}

export class Keys {
  // `on` has newLine(), and `shifted`: actions of Ctrl+Shift and a key, by its code.
  constructor(menu, term, copies, on) {
    this.term = term;
    this.copies = copies;
    this.on = on;
    term.attachCustomKeyEventHandler((event) => this.handle(event));
    this.addSetting(menu);
  }

  addSetting(menu) {
    const box = menu.querySelector("[name=keys]");
    for (const part of menu.querySelectorAll("[data-not-mac]")) part.hidden = isMac;
    menu.addEventListener("toggle", () => (box.checked = this.isOn));
    box.addEventListener("change", () => localStorage.setItem(SETTING, box.checked ? "on" : "off"));
  }

  get isOn() {
    return localStorage.getItem(SETTING) !== "off";
  }

  // Return whether xterm.js should handle the event.
  handle(event) {
    if (event.type !== "keydown" || event.isComposing || event.altKey || event.metaKey) return true;
    if (event.ctrlKey && event.shiftKey) return this.shifted(event);
    if (!event.target.closest?.(".xterm")) return true;
    if (event.ctrlKey) return this.control(event);
    return event.shiftKey && event.key === "Enter" ? this.did(event, this.on.newLine) : true;
  }

  control(event) {
    if (isMac || !this.isOn) return true;
    if (isLetter(event, "v")) return false; // The browser pastes, which also works with plain HTTP.
    if (!isLetter(event, "c") || !this.term.hasSelection()) return true;
    return this.did(event, () => {
      this.copy();
      this.term.clearSelection();
    });
  }

  shifted(event) {
    if (isLetter(event, "v")) return false;
    if (isLetter(event, "c")) return this.did(event, () => this.term.hasSelection() && this.copy());
    const action = this.on.shifted[event.code];
    return action ? this.did(event, action) : true;
  }

  copy() {
    this.copies.copySelection(this.term.getSelection());
  }

  did(event, action) {
    event.preventDefault();
    action();
    return false;
  }
}
