// Where keyboard work goes on: at the next card when a verb has moved one to another column, and at the card that was
// left when its page is closed.
const KEY = "board-place"; // of this tab
let left = null; // The card that a verb may move.

export const selected = () => document.activeElement?.closest?.(".card") ?? null;

export function select(card) {
  const link = card?.querySelector(".title");
  link?.focus({ preventScroll: true });
  card?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// Headings stand between cards, and below the last one what is not loaded.
function nearest(element, direction) {
  let other = element?.[direction];
  while (other && !other.dataset.pk) other = other[direction];
  return other ?? null;
}
export const above = (card) => nearest(card, "previousElementSibling");
export const below = (card) => nearest(card, "nextElementSibling");

// The cards of its column, the nearest first: those below it, then those above it.
function neighboursOf(card) {
  const cards = [...card.parentElement.querySelectorAll(".card:not([hidden])")];
  const at = cards.indexOf(card);
  return [...cards.slice(at + 1), ...cards.slice(0, at).reverse()].slice(0, 20).map((other) => other.dataset.pk);
}

const placeOf = (card) => ({ pk: card.dataset.pk, status: card.dataset.status, near: neighboursOf(card) });

// Call this before a verb that may move the selected card.
export function leave(card) {
  left = card.contains(document.activeElement) ? placeOf(card) : null;
}

export function stay() {
  left = null;
}

// After a change of the board: if the card has left its column, select its neighbour there.
export function settle() {
  if (!left || document.querySelector("dialog[open], .menu:popover-open")) return;
  const current = selected();
  if (current && current.dataset.pk !== left.pk) return stay();
  if (go(left)) left = null;
}

function go({ pk, status, near }) {
  const card = document.getElementById(`card-${pk}`);
  if (card && (!status || card.parentElement.dataset.status === status)) return false;
  const list = document.getElementById(`cards-${status}`);
  const next = near.map((other) => list?.querySelector(`#card-${other}`)).find(Boolean);
  if (next) select(next);
  return true;
}

// The board's address with its filter, and the card to select there.
const stored = () => JSON.parse(sessionStorage.getItem(KEY) || "null");
const store = (place) => sessionStorage.setItem(KEY, JSON.stringify(place));

export function remember() {
  const card = selected();
  store({ query: location.search, ...(card && placeOf(card)) });
}

export function restore() {
  const place = stored();
  if (!place?.pk || selected()) return;
  store({ query: place.query });
  if (!go(place) || !selected()) select(document.getElementById(`card-${place.pk}`));
}

// On the page of a task: the board selects the task that was looked at last.
export function visit(pk) {
  const place = stored();
  if (place?.pk !== pk) store({ query: place?.query ?? "", pk, near: [] });
}

export const boardAddress = () => `/${stored()?.query ?? ""}`;
