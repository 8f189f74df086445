// Earlier lines: tmux has more history than the page loads or keeps. Scrolling to the top or the button loads more.
const FACTOR = 5; // Each step loads this many times the current number of lines.
const ALL = 1_000_000;

export class Older {
  constructor(term, button, request) {
    this.term = term;
    this.button = button;
    this.request = request;
    this.lines = this.history = 0;
    button.addEventListener("click", () => this.load());
    term.onScroll(() => this.updateButton());
    term.element.addEventListener("wheel", (event) => event.deltaY < 0 && this.isAtTop && this.load(), {
      passive: true,
    });
    term.onWriteParsed(() => this.updateButton());
  }

  get isAtTop() {
    const { active } = this.term.buffer;
    return active.type === "normal" && active.viewportY === 0 && active.baseY > 0;
  }

  // The scrollback is full, so lines that were loaded before have been discarded.
  get isFull() {
    return this.term.buffer.normal.baseY >= this.term.options.scrollback;
  }

  get hasMore() {
    return this.isFull || this.history > this.lines;
  }

  // Called before a snapshot is written. Keeps the scroll position if the user has scrolled up.
  beforeSnapshot({ lines, history }) {
    this.lines = lines;
    this.history = history;
    const { active } = this.term.buffer;
    if (!this.loading && active.viewportY === active.baseY) return;
    this.loading = false;
    const fromEnd = active.baseY - active.viewportY;
    const done = this.term.onWriteParsed(() => {
      if (this.term.buffer.active.baseY < fromEnd) return;
      this.term.scrollToLine(this.term.buffer.active.baseY - fromEnd);
      done.dispose();
    });
  }

  load(lines = Math.max(this.lines, this.term.buffer.normal.baseY) * FACTOR) {
    if (!this.hasMore || this.loading) return;
    this.loading = true;
    this.button.hidden = true;
    this.request(lines);
  }

  loadAll() {
    this.load(ALL);
  }

  updateButton() {
    const show = this.isAtTop && this.hasMore && !this.loading;
    if (show === !this.button.hidden) return;
    this.button.hidden = !show;
    const count = this.isFull ? "" : (this.history - this.lines).toLocaleString();
    this.button.querySelector("span").textContent = count ? `Show ${count} earlier lines` : "Show earlier lines";
  }
}
