// The conversation as a window on a list that may have tens of thousands of events. Only the part around what is
// read is in the page; it follows the end unless the reader has scrolled up.
import { nodesOf } from "../aitask/dom.js";
import { adopt, release } from "./results.js";

const MOST = 600; // Rows kept in the page.
const NEAR = 600; // Pixels from an edge at which more is fetched.
const END = 48; // Pixels from the end that still count as reading the end.

const parse = (text) => (text ? text.split(".").map(Number) : null);
const later = (a, b) => !b || a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
const placeOf = (row) => parse(row.dataset?.place);

export class Log {
  // `caughtUp` is called when rows that were left out have been fetched, up to the newest.
  constructor(box, address, caughtUp) {
    this.box = box;
    this.address = address;
    this.caughtUp = caughtUp;
    this.rows = box.querySelector("#rows");
    this.older = box.querySelector("#older");
    this.newest = document.getElementById("newest");
    this.first = parse(this.rows.dataset.first);
    this.last = parse(this.rows.dataset.last) ?? [0, 0]; // The last in the page.
    this.known = this.last; // The last heard of.
    this.complete = true; // The newest event is in the page.
    this.following = true;
    this.loading = false;
    this.missed = 0;
    this.listen();
    adopt(this.rows);
    this.toEnd();
  }

  listen() {
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.older.addEventListener("click", () => this.load("older"));
    this.newest.addEventListener("click", () => this.toNewest());
    // Rows get their true height when they come into view; the end stays in view meanwhile.
    const sizes = new ResizeObserver(() => this.following && this.toEnd());
    sizes.observe(this.rows);
    sizes.observe(this.box);
  }

  scrolled() {
    const { box } = this;
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    this.following = this.complete && left < END;
    if (this.following) this.missed = 0;
    this.showNewest();
    if (box.scrollTop < NEAR && !this.older.hidden && this.first && !this.following) this.load("older");
    if (left < NEAR && !this.complete) this.load("newer");
  }

  add(html, last) {
    this.known = last;
    if (!this.complete) return this.noteMissed(nodesOf(html).length);
    const fresh = nodesOf(html).filter((row) => !row.dataset.place || later(placeOf(row), this.last));
    this.last = last;
    for (const row of fresh) row.classList.add("is-new");
    document.querySelector(".idea")?.remove();
    this.rows.append(...fresh);
    adopt(this.rows);
    if (this.following) {
      this.trim("start");
      this.toEnd();
    } else {
      this.noteMissed(fresh.length);
      this.trim("end");
    }
  }

  noteMissed(count) {
    this.missed += count;
    this.showNewest();
  }

  showNewest() {
    this.newest.hidden = this.following && this.complete;
    this.newest.lastElementChild.textContent = this.missed ? `${this.missed} new` : "Newest";
  }

  // Drop rows far from what is read; what was dropped can be fetched again.
  trim(side) {
    const { children } = this.rows;
    const extra = children.length - MOST;
    if (extra < MOST / 4) return;
    const gone = [...children].slice(...(side === "start" ? [0, extra] : [-extra]));
    release(gone);
    for (const row of gone) row.remove();
    const kept = [...children].filter((row) => row.dataset.place);
    if (side === "start") {
      this.first = placeOf(kept[0]);
      this.older.hidden = false;
    } else {
      this.last = placeOf(kept.at(-1));
      this.complete = false;
    }
  }

  async load(side) {
    if (this.loading) return;
    this.loading = true;
    this.box.setAttribute("aria-busy", "true");
    try {
      const where = side === "older" ? `before=${this.first.join(".")}` : `after=${this.last.join(".")}`;
      const response = await fetch(`${this.address}?${where}`);
      if (!response.ok) return;
      const html = await response.text();
      const place = (name) => parse(response.headers.get(name));
      const more = response.headers.get("X-More") === "yes";
      side === "older" ? this.prepend(html, place("X-First"), more) : this.append(html, place("X-Last"), more);
    } finally {
      this.loading = false;
      this.box.removeAttribute("aria-busy");
    }
  }

  prepend(html, place, more) {
    this.keepStill(() => this.rows.prepend(...nodesOf(html)));
    this.first = place ?? this.first;
    this.older.hidden = !more;
    adopt(this.rows);
    this.trim("end");
  }

  append(html, place, more) {
    this.rows.append(...nodesOf(html));
    this.last = place ?? this.last;
    if (later(this.last, this.known)) this.known = this.last;
    this.complete = !more;
    adopt(this.rows);
    this.keepStill(() => this.trim("start"));
    if (!this.complete) return;
    this.missed = 0;
    this.caughtUp();
    this.showNewest();
  }

  // What is read stays where it is while rows come or go above it.
  keepStill(change) {
    const top = this.box.getBoundingClientRect().top;
    const anchor = [...this.rows.children].find((row) => row.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (anchor?.isConnected) this.box.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  async toNewest() {
    if (!this.complete && !(await this.loadNewest())) return;
    this.following = true;
    this.missed = 0;
    this.showNewest();
    this.toEnd();
  }

  async loadNewest() {
    const response = await fetch(this.address);
    if (!response.ok) return false;
    this.rows.replaceChildren(...nodesOf(await response.text()));
    this.first = parse(response.headers.get("X-First"));
    this.last = this.known = parse(response.headers.get("X-Last"));
    this.older.hidden = response.headers.get("X-More") !== "yes";
    this.complete = true;
    adopt(this.rows);
    this.caughtUp();
    return true;
  }
}
