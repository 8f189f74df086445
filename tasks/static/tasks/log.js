// The conversation: a window on a list of possibly tens of thousands of events. Only the rows around the visible ones
// are in the page. It scrolls to new events unless the user has scrolled up.
import { nodesOf } from "../aitask/dom.js";
import { adopt, release } from "./results.js";

const MAX_ROWS = 600; // Rows kept in the page.
const NEAR = 600; // Distance from an edge, in pixels, at which more rows are loaded.
const END = 48; // Distance from the end, in pixels, that counts as being at the end.

const parse = (text) => (text ? text.split(".").map(Number) : null);
const later = (a, b) => !b || a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
const placeOf = (row) => parse(row.dataset?.place);

export class Log {
  // `caughtUp` is called when the skipped rows up to the newest have been loaded.
  constructor(box, address, caughtUp) {
    this.box = box;
    this.address = address;
    this.caughtUp = caughtUp;
    this.rows = box.querySelector("#rows");
    this.older = box.querySelector("#older");
    this.newest = document.getElementById("newest");
    this.first = parse(this.rows.dataset.first);
    this.last = parse(this.rows.dataset.last) ?? [0, 0]; // The last event in the page.
    this.known = this.last; // The last event that the server has sent.
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
    // Rows get their real height when they become visible. Keep the end in view while they change.
    const sizes = new ResizeObserver(() => this.following && this.toEnd());
    sizes.observe(this.rows);
    sizes.observe(this.box.querySelector("#live"));
    sizes.observe(this.box);
  }

  scrolled() {
    const { box } = this;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    this.following = this.complete && below < END;
    if (this.following) this.missed = 0;
    this.showNewest();
    if (box.scrollTop < NEAR && !this.older.hidden && this.first && !this.following) this.load("older");
    if (below < NEAR && !this.complete) this.load("newer");
  }

  add(html, last) {
    this.known = last;
    if (!this.complete) return this.noteMissed(nodesOf(html).length);
    const added = nodesOf(html).filter((row) => !row.dataset.place || later(placeOf(row), this.last));
    this.last = last;
    for (const row of added) row.classList.add("is-new");
    document.querySelector(".idea")?.remove();
    this.rows.append(...added);
    adopt(this.rows);
    if (this.following) {
      this.trim("start");
      this.toEnd();
    } else {
      this.noteMissed(added.length);
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

  // Remove rows far from the visible ones. They can be loaded again.
  trim(side) {
    const { children } = this.rows;
    const extra = children.length - MAX_ROWS;
    if (extra < MAX_ROWS / 4) return;
    const removed = [...children].slice(...(side === "start" ? [0, extra] : [-extra]));
    release(removed);
    for (const row of removed) row.remove();
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
      const query = side === "older" ? `before=${this.first.join(".")}` : `after=${this.last.join(".")}`;
      const response = await fetch(`${this.address}?${query}`);
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

  // Keep the scroll position while `change` adds or removes rows above.
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

  // Show the event at a place ([run, seq]), which need not be loaded; resolve to its element.
  async show(place) {
    if (!this.shownAt(place) && !(await this.loadAround(place))) return null;
    const found = this.shownAt(place);
    if (!found) return null;
    this.following = false;
    for (let fold = found; fold && fold !== this.rows; fold = fold.parentElement) {
      if (fold.localName === "details") fold.open = true;
    }
    found.scrollIntoView({ block: "center" });
    return found;
  }

  // The element that shows an event: its own row, or the row of the tool call that its content was put into.
  shownAt(place) {
    const row = this.rows.querySelector(`[data-place="${place.join(".")}"]`);
    if (!row?.hidden) return row;
    const call = [...this.rows.querySelectorAll(".tool")].find((tool) => tool.attached?.some((one) => one.row === row));
    const content = call?.attached.find((one) => one.row === row).moved[0];
    return content ?? call ?? null;
  }

  async loadAround(place) {
    const response = await fetch(`${this.address}?around=${place.join(".")}`);
    if (!response.ok || response.redirected) return false;
    release([...this.rows.children]);
    this.rows.replaceChildren(...nodesOf(await response.text()));
    this.first = parse(response.headers.get("X-First"));
    this.last = parse(response.headers.get("X-Last")) ?? this.last;
    this.older.hidden = response.headers.get("X-Earlier") !== "yes";
    this.complete = response.headers.get("X-More") !== "yes";
    this.following = false;
    adopt(this.rows);
    this.showNewest();
    if (this.complete) this.caughtUp();
    return true;
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
