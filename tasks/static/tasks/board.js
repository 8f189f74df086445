// The live board: reloaded when the server reports a change, but never while a card is being dragged.

import { onKeys } from "../aitask/keys.js";
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { toast } from "../aitask/toasts.js";
import { select, selected, step, verbs } from "./cards.js";
import { watchDrag } from "./drag.js";
import { showLines, takeLines } from "./lines.js";
import "./newtask.js";

const board = document.getElementById("board");
const needs = document.getElementById("needs");
const filter = document.getElementById("filter");
let version = document.getElementById("needs-you").dataset.version;
let isStale = false; // A refresh was requested while it was not possible.
let isLoading = false;

const drag = watchDrag(board, { settled: () => isStale && refresh() });

const queryOf = (pairs) => new URLSearchParams([...pairs].filter(([, value]) => value)).toString();
const query = () => queryOf(new FormData(filter));

export async function refresh() {
  isStale = drag.active || isLoading;
  if (isStale) return;
  isLoading = true;
  try {
    await htmx.ajax("GET", `${board.dataset.url}?${query()}`, {
      target: board,
      swap: "innerMorph",
      source: board,
      quiet: true,
    });
  } finally {
    isLoading = false;
    if (isStale && !drag.active) refresh();
  }
}

// After new columns are swapped in, restore the selected card and the elapsed times.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.target !== board) return;
  const outdated = queryOf(new URL(ctx.request.action, location).searchParams) !== query();
  if (drag.active || outdated) {
    event.preventDefault();
    isStale = true;
  }
  board.dataset.focus = document.activeElement?.closest?.(".card")?.dataset.pk ?? "";
});
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.target !== board) return;
  tick(board);
  showLines();
  drag.attach();
  const pk = board.dataset.focus;
  if (pk && !document.activeElement?.closest?.(".card")) select(document.getElementById(`card-${pk}`));
  showNeeds(Number(document.getElementById("needs-you").textContent));
});

function showNeeds(count) {
  needs.hidden = !count;
  needs.querySelector("b").textContent = count;
  needs.querySelector("span").textContent = count === 1 ? "needs you" : "need you";
}

connect("/ws/board", {
  message: (data) => {
    if (data.t === "lines") takeLines(data.lines);
    if (data.t !== "changed") return;
    showNeeds(data.needs_you);
    if (version !== data.version) {
      version = data.version;
      refresh();
    }
  },
});

needs.addEventListener("click", () => select(board.querySelector(".card.needs-you")));
document.addEventListener("changed", refresh);
filter.addEventListener("htmx:before:request", () => history.replaceState(null, "", query() ? `/?${query()}` : "/"));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.id !== "f-search") return;
  event.target.value = "";
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
  event.target.blur();
  select(board.querySelector(".card"));
});

// On a phone, which shows one column at a time, start with the column that needs attention.
function showActiveColumn() {
  const columns = ["running", "review", "queued"].map((status) => document.getElementById(`col-${status}`));
  const busy =
    board.querySelector(".card.needs-you")?.closest(".column") ??
    columns.find((column) => column?.querySelector(".card"));
  if (!location.hash) busy?.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
}
showActiveColumn();

const withCard = (action) => () =>
  selected() ? action(selected()) : toast({ text: "Select a card first, with the arrow keys." });
onKeys({
  n: () => document.querySelector("[data-new-task]").click(),
  "/": () => document.getElementById("f-search").focus(),
  ArrowDown: () => step(0, 1),
  j: () => step(0, 1),
  ArrowUp: () => step(0, -1),
  k: () => step(0, -1),
  ArrowRight: () => step(1, 0),
  l: () => step(1, 0),
  ArrowLeft: () => step(-1, 0),
  h: () => step(-1, 0),
  r: withCard(verbs.run),
  x: withCard(verbs.cancel),
  m: withCard(verbs.menu),
  e: withCard(verbs.edit),
});
