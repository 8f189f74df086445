// Tasks that the server sends when they change. Each is put into its column, at its place, without a reload.
import { tick } from "../aitask/times.js";

export class Incoming {
  // `item` and `list` are the prefixes of the elements' ids: of a task and of a column. While `mayChange()` is false,
  // updates wait for `flush`. `changed(element)` is called with each element that was added or updated,
  // `settled()` after the last one. `groupOf(workspace)` is the first part of a place.
  constructor({ item, list, mayChange = () => true, changed = () => {}, settled = () => {}, groupOf = () => 0 }) {
    this.item = item;
    this.list = list;
    this.mayChange = mayChange;
    this.changed = changed;
    this.settled = settled;
    this.groupOf = groupOf;
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

  async place({ pk, status, workspace, order, html }) {
    const list = document.getElementById(`${this.list}-${status}`);
    const shown = document.getElementById(`${this.item}-${pk}`);
    if (!list) return;
    const at = [this.groupOf(workspace), ...order];
    if (this.isBelowTheShown(list, at)) return shown?.remove();
    const below = [...list.children].find((other) => other !== shown && this.isBelow(other, status, at, pk));
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

  placeOf({ dataset }) {
    return [this.groupOf(dataset.workspace), ...dataset.order.split(" ").map(Number)];
  }

  // Equal places are told apart by number. Done has the newest task on top. What is not loaded is below all.
  isBelow(other, status, place, pk) {
    if (other.matches(".more")) return true;
    const difference = compare(this.placeOf(other), place);
    if (difference) return difference > 0;
    return status === "done" ? Number(other.dataset.pk) < pk : Number(other.dataset.pk) > pk;
  }

  // Whether it belongs to the part of a column that is not loaded.
  isBelowTheShown(list, place) {
    const more = list.querySelector(":scope > .more");
    return (
      more !== null && (!more.previousElementSibling || compare(this.placeOf(more.previousElementSibling), place) < 0)
    );
  }
}

// The first number that differs decides.
const compare = (one, other) => one.map((number, at) => number - other[at]).find(Boolean) ?? 0;

function showCounts(counts) {
  for (const [status, count] of Object.entries(counts)) {
    for (const place of document.querySelectorAll(`#count-${status}, #jump-${status} [data-count]`))
      place.textContent = count;
  }
}
