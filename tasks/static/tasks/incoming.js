// Tasks that the server sends when they change. Each is put into its column, at its place, without a reload.
import { tick } from "../aitask/times.js";

export class Incoming {
  // `item` and `list` are the prefixes of the elements' ids: of a task and of a column. While `mayChange()` is false,
  // updates wait for `flush`. `changed(element)` is called with each element that was added or updated,
  // `settled()` after the last one.
  constructor({ item, list, mayChange = () => true, changed = () => {}, settled = () => {} }) {
    this.item = item;
    this.list = list;
    this.mayChange = mayChange;
    this.changed = changed;
    this.settled = settled;
    this.waiting = [];
    this.applying = Promise.resolve();
  }

  take(update) {
    this.waiting.push(update);
    return this.flush();
  }

  // Apply what waits, in order.
  flush() {
    this.applying = this.applying.then(() => this.apply()).catch(console.error);
    return this.applying;
  }

  async apply() {
    while (this.waiting.length && this.mayChange()) {
      const { cards, gone, counts } = this.waiting.shift();
      for (const pk of gone) document.getElementById(`${this.item}-${pk}`)?.remove();
      for (const card of cards) await this.place(card);
      showCounts(counts);
      this.settled();
    }
  }

  async place({ pk, status, order, html }) {
    const list = document.getElementById(`${this.list}-${status}`);
    const shown = document.getElementById(`${this.item}-${pk}`);
    if (!list) return;
    if (isBelowTheShown(list, order)) return shown?.remove();
    const below = [...list.children].find((other) => other !== shown && isBelow(other, status, order, pk));
    const element = shown ? await this.update(shown, list, below, html) : this.add(list, below, html);
    tick(element);
    this.changed(element);
  }

  add(list, below, html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    const element = template.content.firstElementChild;
    list.insertBefore(element, below ?? null);
    htmx.process(element);
    return element;
  }

  async update(shown, list, below, html) {
    const focused = shown.contains(document.activeElement) ? document.activeElement : null;
    const isInPlace = shown.parentElement === list && shown.nextElementSibling === (below ?? null);
    if (!isInPlace) list.insertBefore(shown, below ?? null);
    const { id } = shown;
    await htmx.swap({ text: html, target: shown, swap: "outerMorph", sourceElement: shown });
    const element = document.getElementById(id);
    if (focused && !element.contains(document.activeElement))
      (focused.isConnected ? focused : element.querySelector("a")).focus();
    return element;
  }
}

// A place has two numbers, of which the second decides if the first is the same.
const orderOf = (element) => element.dataset.order.split(" ").map(Number);
const compare = (one, other) => one[0] - other[0] || one[1] - other[1];

// Equal places are told apart by number. Done has the newest task on top. What is not loaded is below all.
function isBelow(other, status, order, pk) {
  if (other.matches(".more")) return true;
  const difference = compare(orderOf(other), order);
  if (difference) return difference > 0;
  return status === "done" ? Number(other.dataset.pk) < pk : Number(other.dataset.pk) > pk;
}

// Whether it belongs to the part of a column that is not loaded.
function isBelowTheShown(list, order) {
  const more = list.querySelector(":scope > .more");
  return more !== null && (!more.previousElementSibling || compare(orderOf(more.previousElementSibling), order) < 0);
}

function showCounts(counts) {
  for (const [status, count] of Object.entries(counts)) {
    for (const place of document.querySelectorAll(`#count-${status}, #jump-${status} [data-count]`))
      place.textContent = count;
  }
}
