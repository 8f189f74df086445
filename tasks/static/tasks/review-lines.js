// The rows of lines: moving through them with the keyboard, and showing unchanged lines around a hunk.
import { make } from "../aitask/dom.js";

const STEP = 20; // Lines that “↑” and “↓” show.
const LINE = "button[data-line]";

// The button of a row that comments on its line; of two, the one of the new file.
const buttonOf = (row) => row?.querySelector(`${LINE}[data-side=new]`) ?? row?.querySelector(LINE);

export function listenToLines(root) {
  root.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const here = event.target.closest(`.lines ${LINE}, .lines`);
    if (!step || !here || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = here.matches(".lines") ? buttonOf(here.querySelector(`tr:has(${LINE})`)) : neighbour(root, here, step);
    if (!next) return;
    event.preventDefault();
    focusLine(next);
  });
}

function neighbour(root, here, step) {
  const rows = [...here.closest("tbody").rows];
  const at = rows.indexOf(here.closest("tr"));
  const rest = step > 0 ? rows.slice(at + 1) : rows.slice(0, at).reverse();
  const next = rest.find(buttonOf);
  if (next) return buttonOf(next);
  const tables = [...root.querySelectorAll(".file details[open] .lines")];
  const beside = tables[tables.indexOf(here.closest(".lines")) + step];
  const lines = beside ? [...beside.querySelectorAll(`tr:has(${LINE})`)] : [];
  return buttonOf(lines.at(step > 0 ? 0 : -1));
}

// Focus the first visible line below `top` of a file, in pixels.
export function focusFirstLine(box, top) {
  const rows = [...box.querySelectorAll(`.lines tr:has(${LINE})`)];
  focusLine(buttonOf(rows.find((row) => row.getBoundingClientRect().top >= top) ?? rows[0]));
}

function focusLine(button) {
  button?.focus({ preventScroll: true });
  button?.scrollIntoView({ block: "nearest" });
}

export const isLine = (element) => element?.matches?.(LINE) ?? false;

// Show lines of the gap that a button stands for. `address` has the query of the file.
export async function showMore(button, address) {
  const row = button.closest("tr");
  const [first, last, offset] = ["first", "last", "offset"].map((name) => Number(row.dataset[name]));
  const which = button.dataset.more;
  const wanted = {
    all: [first, last],
    down: [first, Math.min(last, first + STEP - 1)],
    up: [Math.max(first, last - STEP + 1), last],
  }[which];
  for (const each of row.querySelectorAll("button")) each.disabled = true;
  const query = new URLSearchParams({ first: wanted[0], last: wanted[1], offset });
  const response = await fetch(`${address}&${query}`).catch(() => null);
  for (const each of row.querySelectorAll("button")) each.disabled = false;
  if (!response?.ok) return say(row, (await response?.text()) ?? "The lines could not be loaded.");
  const before = row.previousElementSibling;
  row.insertAdjacentHTML(which === "up" ? "afterend" : "beforebegin", await response.text());
  const left = { first: which === "up" ? first : wanted[1] + 1, last: which === "up" ? wanted[0] - 1 : last };
  const added = which === "up" ? row.nextElementSibling : (before?.nextElementSibling ?? row.parentNode.rows[0]);
  if (left.first > left.last) {
    row.remove();
    focusLine(buttonOf(added));
  } else Object.assign(row.dataset, left);
}

function say(row, text) {
  row.lastElementChild.replaceChildren(make("span", "bad", text.slice(0, 300)));
}
