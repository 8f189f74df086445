// Older lines: tmux holds more than a page gets at first, or keeps. Scrolling to the top or the button brings them.
const TIMES = 5;
const ALL = 1_000_000;

export class Older {
  constructor(term, button, ask) {
    this.term = term;
    this.button = button;
    this.ask = ask;
    this.lines = this.history = 0;
    button.addEventListener("click", () => this.more());
    term.onScroll(() => this.look());
    term.element.addEventListener("wheel", (event) => event.deltaY < 0 && this.isAtTop && this.more(), {
      passive: true,
    });
    term.onWriteParsed(() => this.look());
  }

  get isAtTop() {
    const { active } = this.term.buffer;
    return active.type === "normal" && active.viewportY === 0 && active.baseY > 0;
  }

  // What was printed since the last snapshot has pushed lines out.
  get isFull() {
    return this.term.buffer.normal.baseY >= this.term.options.scrollback;
  }

  get missing() {
    return this.isFull || this.history > this.lines;
  }

  // A snapshot is about to be written. Who reads further up stays at that place.
  painting({ lines, history }) {
    this.lines = lines;
    this.history = history;
    const { active } = this.term.buffer;
    if (!this.asked && active.viewportY === active.baseY) return;
    this.asked = false;
    const fromEnd = active.baseY - active.viewportY;
    const done = this.term.onWriteParsed(() => {
      if (this.term.buffer.active.baseY < fromEnd) return;
      this.term.scrollToLine(this.term.buffer.active.baseY - fromEnd);
      done.dispose();
    });
  }

  more(lines = Math.max(this.lines, this.term.buffer.normal.baseY) * TIMES) {
    if (!this.missing || this.asked) return;
    this.asked = true;
    this.button.hidden = true;
    this.ask(lines);
  }

  all() {
    this.more(ALL);
  }

  look() {
    const show = this.isAtTop && this.missing && !this.asked;
    if (show === !this.button.hidden) return;
    this.button.hidden = !show;
    const count = this.isFull ? "" : (this.history - this.lines).toLocaleString();
    this.button.querySelector("span").textContent = `${count} earlier lines`.trim();
  }
}
