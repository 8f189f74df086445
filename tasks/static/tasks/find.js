// Finding within a conversation, also what is not loaded yet; filters that hide the rest; and the outline of its turns.
import { onKeys } from "../aitask/keys.js";
import { openMenu } from "../aitask/menus.js";
import { tick } from "../aitask/times.js";
import { showConversation } from "./layout.js";

const WAIT = 200; // Milliseconds after the last key before the server is asked.
const COUNT_AGAIN = 5000; // Milliseconds between two updates of the outline while events arrive.
const MOST_PAGES = 4; // Pages that are loaded by themselves while a filter leaves too little to scroll.
const STORED = "conversation:only";

export class Find {
  constructor(bar, log) {
    this.bar = bar;
    this.log = log;
    this.box = bar.querySelector("input");
    this.status = bar.querySelector("[data-status]");
    this.outline = document.getElementById("outline");
    this.places = [];
    this.at = -1;
    this.asked = 0;
    this.timer = 0;
    this.only = new Set((localStorage.getItem(STORED) ?? "").split(" ").filter(Boolean));
    this.listen();
    this.showFilters();
    this.refreshOutline();
  }

  listen() {
    const { bar, box } = this;
    box.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(), WAIT);
    });
    box.addEventListener("keydown", (event) => this.pressed(event));
    bar.addEventListener("submit", (event) => {
      event.preventDefault();
      this.step(1);
    });
    bar.querySelector("[data-previous]").addEventListener("click", () => this.step(-1));
    bar.querySelector("[data-next]").addEventListener("click", () => this.step(1));
    bar.addEventListener("click", (event) => {
      const chip = event.target.closest("[data-only]");
      if (chip) this.toggle(chip.dataset.only);
    });
    this.outline.addEventListener("click", (event) => {
      const turn = event.target.closest("[data-turn]");
      if (!turn) return;
      this.outline.hidePopover();
      this.go(turn.dataset.turn.split(".").map(Number));
    });
    document.addEventListener("events-added", () => {
      this.stale ??= setTimeout(() => {
        this.stale = undefined;
        this.refreshOutline();
      }, COUNT_AGAIN);
    });
  }

  pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    else if (event.key === "ArrowDown") this.step(1);
    else if (event.key === "ArrowUp") this.step(-1);
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  open(words = "") {
    showConversation();
    this.bar.classList.add("is-open");
    this.box.focus();
    if (words) {
      this.box.value = words;
      this.search();
    } else this.box.select();
  }

  openOutline() {
    showConversation();
    this.bar.classList.add("is-open");
    openMenu(this.outline, this.bar.querySelector('[data-menu="outline"]'));
  }

  leave() {
    this.box.value = "";
    this.bar.classList.remove("is-open");
    this.search();
    this.log.box.focus();
  }

  get query() {
    return this.box.value.trim();
  }

  // Ask for all places, and show the nearest one at or above the end.
  async search() {
    clearTimeout(this.timer);
    const number = ++this.asked;
    const { query } = this;
    this.places = [];
    this.at = -1;
    if (!query && !this.only.size) return this.tell("");
    const values = new URLSearchParams({ q: query, only: [...this.only].join(" ") });
    const answer = await fetchJson(`${this.bar.dataset.find}?${values}`);
    if (number !== this.asked) return;
    if (!answer?.places) return this.tell(answer?.error ?? "The server did not respond.");
    this.places = answer.places;
    if (!query) return this.tell("");
    if (!this.places.length) return this.tell("Nothing found");
    this.at = this.places.length;
    await this.step(-1);
  }

  async step(by) {
    if (this.timer) {
      clearTimeout(this.timer);
      this.timer = 0;
    }
    if (!this.places.length)
      return this.query && this.at === -1 && !this.status.textContent ? this.search() : undefined;
    const from = this.at < 0 && by < 0 ? this.places.length : this.at;
    this.at = (from + by + this.places.length) % this.places.length;
    this.tell(`${this.at + 1} of ${this.places.length}`);
    await this.go(this.places[this.at]);
  }

  async go(place) {
    showConversation();
    const shown = await this.log.show(place);
    document.querySelector(".is-found")?.classList.remove("is-found");
    if (!shown) return this.tell("This event is not shown in the conversation.");
    shown.classList.add("is-found");
    const row = shown.closest(".ev");
    if (row && !isVisible(row)) this.clearFilters(); // A turn that the filters hide.
    return shown;
  }

  tell(words) {
    this.status.textContent = words;
    for (const button of this.bar.querySelectorAll("[data-previous], [data-next]"))
      button.disabled = !this.places.length;
  }

  toggle(name) {
    this.only.has(name) ? this.only.delete(name) : this.only.add(name);
    this.showFilters();
    this.search();
  }

  clearFilters() {
    this.only.clear();
    this.showFilters();
  }

  showFilters() {
    const names = [...this.only].join(" ");
    localStorage.setItem(STORED, names);
    this.log.rows.dataset.only = names;
    if (!names) delete this.log.rows.dataset.only;
    for (const chip of this.bar.querySelectorAll("[data-only]"))
      chip.setAttribute("aria-pressed", String(this.only.has(chip.dataset.only)));
    if (names) this.fill();
    else if (this.log.following) this.log.toEnd();
  }

  // Load earlier events while the filters leave less than what fills the pane.
  async fill() {
    const { log } = this;
    for (let page = 0; page < MOST_PAGES && !log.older.hidden; page++) {
      if (log.box.scrollHeight > log.box.clientHeight + 1) return;
      await log.load("older");
    }
  }

  async refreshOutline() {
    const response = await fetch(this.bar.dataset.outline).catch(() => null);
    if (!response?.ok || response.redirected) return;
    const isOpen = this.outline.matches(":popover-open");
    if (!isOpen) this.outline.innerHTML = await response.text();
    tick(this.outline);
    for (const count of this.outline.querySelectorAll("data[data-count]")) {
      const shown = this.bar.querySelector(`[data-only="${count.dataset.count}"] b`);
      if (shown) shown.textContent = Number(count.value).toLocaleString("en");
    }
  }
}

const isVisible = (row) => row.getClientRects().length > 0;

async function fetchJson(path) {
  try {
    const response = await fetch(path);
    return response.redirected ? null : await response.json();
  } catch {
    return null;
  }
}

// Start on the task page: open the place that the address names.
export function watchFind(log) {
  const find = new Find(document.getElementById("find"), log);
  onKeys({ f: () => find.open(), O: () => find.openOutline() });
  const values = new URLSearchParams(location.search);
  const asked = values.get("at");
  if (values.get("find")) find.open(values.get("find"));
  if (asked && /^\d+\.\d+$/.test(asked)) {
    find.go(asked.split(".").map(Number)).then((shown) => {
      if (!shown) return;
      shown.tabIndex = -1;
      shown.focus({ preventScroll: true });
    });
  }
  return find;
}
