// The live board. The server sends each card that changes; the columns are loaded again after a change of the filter or
// of the notices. Nothing changes while a card is being dragged.

import { isTyping, onKeys } from "../aitask/keys.js";
import { offer } from "../aitask/palette.js";
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { toast } from "../aitask/toasts.js";
import { offersFor, step, verbs } from "./cards.js";
import { showDays } from "./days.js";
import { watchDrag } from "./drag.js";
import { groupOf, isGrouped, showGroups } from "./groups.js";
import { Incoming } from "./incoming.js";
import { showLines, takeLines } from "./lines.js";
import { startAtOnce, startInColumn, startWith } from "./many.js";
import { watchEnds } from "./more.js";
import "./newtask.js";
import { remember, restore, select, selected, settle } from "./place.js";
import { showPorts, takePorts } from "./previews.js";
import { chosenCards, clear, extend, showChosen, toggle } from "./selection.js";

const board = document.getElementById("board");
const needs = document.getElementById("needs");
const filter = document.getElementById("filter");
let isStale = false; // A refresh was requested while it was not possible.
let isLoading = false;
let view = 0; // The number of the filter that the server knows.
let asked = "";

const drag = watchDrag(board, { settled: () => (isStale ? refresh() : incoming.flush()) });
const incoming = new Incoming({
  item: "card",
  list: "cards",
  mayChange: () => !drag.active && !isLoading,
  changed: (card) => {
    showLines(card.dataset.pk);
    showPorts(card.dataset.pk);
  },
  groupOf,
  settled: () => {
    showHeadings();
    settle();
    showChosen();
  },
});

function showHeadings() {
  showDays(isGrouped() || undefined);
  showGroups();
}

const queryOf = (pairs) =>
  new URLSearchParams([...pairs].filter(([name, value]) => value && !name.startsWith("shown-"))).toString();
const query = () => queryOf(new FormData(filter));
const sizes = () =>
  [...board.querySelectorAll(".cards")]
    .map((list) => `&shown-${list.dataset.status}=${list.querySelectorAll(".card").length}`)
    .join("");

export async function refresh() {
  isStale = drag.active || isLoading;
  if (isStale) return;
  isLoading = true;
  try {
    await htmx.ajax("GET", `${board.dataset.url}?${query()}${sizes()}`, {
      target: board,
      swap: "innerMorph",
      source: board,
      quiet: true,
    });
  } finally {
    isLoading = false;
    if (isStale && !drag.active) refresh();
    else incoming.flush();
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
  const { target } = event.detail.ctx;
  if (target !== board && !target.matches(".more")) return;
  tick(board);
  showHeadings();
  showLines();
  showPorts();
  watchEnds(board);
  showChosen();
  if (target !== board) return;
  drag.attach();
  const pk = board.dataset.focus;
  if (pk && !document.activeElement?.closest?.(".card")) select(document.getElementById(`card-${pk}`));
  settle();
  showNeeds(Number(document.getElementById("needs-you").textContent));
  if (asked !== query()) tellView(socket.send);
});

function showNeeds(count) {
  needs.hidden = !count;
  needs.querySelector("b").textContent = count;
  needs.querySelector("span").textContent = count === 1 ? "needs you" : "need you";
}

function showAccepted(count) {
  const button = document.getElementById("merge-accepted");
  if (!button) return;
  button.hidden = !count;
  button.querySelector("[data-accepted]").textContent = count;
}

// Tell the server which tasks this page shows.
function tellView(send) {
  asked = query();
  view += 1;
  const { version } = document.getElementById("needs-you").dataset;
  send({ t: "show", view, version, ...Object.fromEntries(new FormData(filter)) });
}

const socket = connect("/ws/board", {
  open: tellView,
  message: (data) => {
    if (data.t === "lines") takeLines(data.lines);
    if (data.t === "ports") takePorts(data.ports);
    if (data.view !== view) return;
    if (data.t === "changed") refresh();
    if (data.t !== "cards") return;
    showNeeds(data.needs_you);
    showAccepted(data.accepted);
    incoming.take(data);
  },
});
showHeadings();
watchEnds(board);

needs.addEventListener("click", () => {
  const card = board.querySelector(".card.needs-you");
  card ? select(card) : location.assign("/inbox");
});
document.addEventListener("changed", refresh);
filter.addEventListener("htmx:before:request", () => history.replaceState(null, "", query() ? `/?${query()}` : "/"));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.id !== "f-search") return;
  event.target.value = "";
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
  event.target.blur();
  select(board.querySelector(".card"));
});

// What is in the search box can also be searched in all that the tasks contain: Enter does so.
const everywhere = document.getElementById("everywhere");
const searchBox = document.getElementById("f-search");
function showEverywhere() {
  const words = searchBox.value.trim();
  everywhere.hidden = !words;
  everywhere.querySelector("b").textContent = words;
  everywhere.href = `${everywhere.pathname}?${queryOf(new FormData(filter))}`;
}
searchBox.addEventListener("input", showEverywhere);
filter.addEventListener("change", showEverywhere);
searchBox.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !searchBox.value.trim()) return;
  event.preventDefault();
  location.assign(everywhere.href);
});
showEverywhere();

// On a phone, which shows one column at a time, start with the column that needs attention.
function showActiveColumn() {
  const columns = ["running", "review", "queued"].map((status) => document.getElementById(`col-${status}`));
  const busy =
    board.querySelector(".card.needs-you")?.closest(".column") ??
    columns.find((column) => column?.querySelector(".card"));
  if (!location.hash) busy?.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
}
showActiveColumn();
restore();
addEventListener("pagehide", remember);

// A verb for the selected cards; without any, for the card with the focus or for a column.
const withChosen = (verb, otherwise) => () => (chosenCards().length ? startWith(verb, chosenCards()) : otherwise());
const withCard = (action) => () =>
  selected() ? action(selected()) : toast({ text: "Go to a card first, with the arrow keys." });
onKeys({
  n: () => document.querySelector("[data-new-task]").click(),
  "/": () => document.getElementById("f-search").focus(),
  " ": ({ target }) => (target.closest("button, summary, label") ? false : withCard(toggle)()),
  Escape: () => clear(),
  ArrowDown: ({ shiftKey }) => (shiftKey ? extend(1) : step(0, 1)),
  J: () => extend(1),
  j: () => step(0, 1),
  ArrowUp: ({ shiftKey }) => (shiftKey ? extend(-1) : step(0, -1)),
  K: () => extend(-1),
  k: () => step(0, -1),
  ArrowRight: () => step(1, 0),
  l: () => step(1, 0),
  ArrowLeft: () => step(-1, 0),
  h: () => step(-1, 0),
  r: withChosen("run", withCard(verbs.run)),
  x: withChosen("cancel", withCard(verbs.cancel)),
  R: withChosen("run", () => startInColumn("run", "backlog")),
  A: withChosen("accept", () => startInColumn("accept", "review")),
  M: withChosen("merge", () => startInColumn("merge", "review")),
  m: withCard(verbs.menu),
  e: withCard(verbs.edit),
});

document.addEventListener("keydown", (event) => {
  const isKey = event.key === "b" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (!isKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  startAtOnce("run", "backlog");
});
offer((focused) => {
  const card = focused?.closest?.(".card");
  const create = { text: "New task", keys: "n", run: () => document.querySelector("[data-new-task]").click() };
  return [create, ...(card ? offersFor(card) : [])];
});
