// The selected cards: by space, shift and arrows, shift and click, or a box drawn beside the cards. A bar offers what
// can be done with them.
import { startWith } from "./many.js";
import { select, selected } from "./place.js";

const board = document.getElementById("board");
const bar = document.getElementById("manybar");
const told = document.getElementById("manytold");
const chosen = new Set();
let anchor = null; // Where a range starts.
let wait = 0;

export const chosenCards = () => [...board.querySelectorAll(".card")].filter((card) => chosen.has(card.dataset.pk));
export const isChosen = (card) => chosen.has(card.dataset.pk);

// After a change: marks are set on elements that the server sends without them, and tasks that are gone are dropped.
export function showChosen() {
  const cards = [...board.querySelectorAll(".card")];
  const here = new Set(cards.map((card) => card.dataset.pk));
  for (const pk of chosen) if (!here.has(pk)) chosen.delete(pk);
  for (const card of cards) mark(card);
  refreshBar();
}

function mark(card) {
  const on = isChosen(card);
  card.classList.toggle("is-chosen", on);
  const link = card.querySelector(".title");
  on ? link.setAttribute("aria-description", "Selected") : link.removeAttribute("aria-description");
}

function refreshBar() {
  clearTimeout(wait);
  told.textContent = chosen.size ? `${chosen.size} selected` : "";
  if (!chosen.size) {
    bar.hidden = true;
    return;
  }
  wait = setTimeout(load, 80);
}

async function load() {
  const query = new URLSearchParams([...chosen].map((pk) => ["task", pk]));
  await htmx.ajax("GET", `/tasks/many/bar?${query}`, { target: bar, swap: "innerMorph", source: bar, quiet: true });
  bar.hidden = !chosen.size;
}

export function toggle(card, on = !isChosen(card)) {
  on ? chosen.add(card.dataset.pk) : chosen.delete(card.dataset.pk);
  anchor = card.dataset.pk;
  mark(card);
  refreshBar();
}

export function clear() {
  if (!chosen.size) return false;
  chosen.clear();
  showChosen();
  return true;
}

// From the anchor to this card, within a column.
function extendTo(card) {
  const cards = [...card.parentElement.querySelectorAll(".card:not([hidden])")];
  const from = cards.findIndex((other) => other.dataset.pk === anchor);
  const to = cards.indexOf(card);
  const [first, last] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
  for (const other of cards.slice(first, last + 1)) chosen.add(other.dataset.pk);
  if (from < 0) anchor = card.dataset.pk;
  showChosen();
}

// Shift and an arrow: the selection grows to the next card, or shrinks if that is in it already.
export function extend(by) {
  const card = selected();
  if (!card) return;
  const cards = [...card.parentElement.querySelectorAll(".card:not([hidden])")];
  const next = cards[cards.indexOf(card) + by];
  if (!chosen.size) toggle(card, true);
  if (!next) return;
  if (isChosen(next) && isChosen(card)) {
    chosen.delete(card.dataset.pk);
    mark(card);
  } else chosen.add(next.dataset.pk);
  mark(next);
  refreshBar();
  select(next);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-many-clear]")) return clear();
  const verb = event.target.closest("[data-many]")?.dataset.many;
  if (verb) return startWith(verb, chosenCards());
  const card = event.target.closest(".card");
  if (!card || !event.shiftKey || event.target.closest(".tools")) return;
  event.preventDefault(); // The browser would open a window.
  select(card);
  extendTo(card);
});
document.addEventListener("many-done", clear);

// A box that is drawn from beside the cards selects what it touches. Touch scrolls, and a press on a card drags it.
board.addEventListener("pointerdown", (event) => {
  if (event.button || event.pointerType !== "mouse" || !event.target.closest(".columns")) return;
  if (event.target.closest(".card, button, a, header, input")) return;
  if (event.offsetX > event.target.clientWidth || event.offsetY > event.target.clientHeight) return; // a scroll bar
  const before = event.shiftKey ? new Set(chosen) : new Set();
  const box = document.createElement("div");
  box.className = "rubberband";
  const start = { x: event.clientX, y: event.clientY };
  const draw = ({ clientX, clientY }) => {
    const left = Math.min(start.x, clientX);
    const top = Math.min(start.y, clientY);
    const right = Math.max(start.x, clientX);
    const bottom = Math.max(start.y, clientY);
    if (!box.isConnected && right - left + bottom - top < 6) return;
    if (!box.isConnected) document.body.append(box);
    Object.assign(box.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${right - left}px`,
      height: `${bottom - top}px`,
    });
    chosen.clear();
    for (const pk of before) chosen.add(pk);
    for (const card of board.querySelectorAll(".card")) {
      const at = card.getBoundingClientRect();
      if (at.left < right && at.right > left && at.top < bottom && at.bottom > top) chosen.add(card.dataset.pk);
      mark(card);
    }
  };
  const end = () => {
    document.removeEventListener("pointermove", draw);
    if (box.isConnected) refreshBar();
    else if (!event.shiftKey) clear();
    box.remove();
  };
  event.preventDefault(); // No text is selected.
  document.activeElement?.blur?.();
  document.addEventListener("pointermove", draw);
  document.addEventListener("pointerup", end, { once: true });
  document.addEventListener("pointercancel", end, { once: true });
});
