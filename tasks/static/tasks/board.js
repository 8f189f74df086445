// The live board: refetched when the server says that it has changed, never under a card that is being dragged.

import { onKeys } from "../aitask/keys.js";
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { toast } from "../aitask/toasts.js";
import { choose, chosen, step, verbs } from "./cards.js";
import { watchDrag } from "./drag.js";
import "./newtask.js";

const board = document.getElementById("board");
const needs = document.getElementById("needs");
const filter = document.getElementById("filter");
let version = document.getElementById("needs-you").dataset.version;
let wanted = false; // A refresh was asked for while it could not be done.
let asking = false;

const drag = watchDrag(board, { settled: () => wanted && refresh() });

const given = (pairs) => new URLSearchParams([...pairs].filter(([, value]) => value)).toString();
const query = () => given(new FormData(filter));

export async function refresh() {
  wanted = drag.active || asking;
  if (wanted) return;
  asking = true;
  try {
    await htmx.ajax("GET", `${board.dataset.url}?${query()}`, {
      target: board,
      swap: "innerMorph",
      source: board,
      quiet: true,
    });
  } finally {
    asking = false;
    if (wanted && !drag.active) refresh();
  }
}

// Whatever brings new columns leaves the chosen card chosen and the times right.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.target !== board) return;
  const outdated = given(new URL(ctx.request.action, location).searchParams) !== query();
  if (drag.active || outdated) {
    event.preventDefault();
    wanted = true;
  }
  board.dataset.focus = document.activeElement?.closest?.(".card")?.dataset.pk ?? "";
});
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.target !== board) return;
  tick(board);
  drag.attach();
  const pk = board.dataset.focus;
  if (pk && !document.activeElement?.closest?.(".card")) choose(document.getElementById(`card-${pk}`));
  showNeeds(Number(document.getElementById("needs-you").textContent));
});

function showNeeds(count) {
  needs.hidden = !count;
  needs.querySelector("b").textContent = count;
  needs.querySelector("span").textContent = count === 1 ? "needs you" : "need you";
}

connect("/ws/board", {
  message: (data) => {
    if (data.t !== "changed") return;
    showNeeds(data.needs_you);
    if (version !== data.version) {
      version = data.version;
      refresh();
    }
  },
});

needs.addEventListener("click", () => choose(board.querySelector(".card.needs-you")));
document.addEventListener("changed", refresh);
filter.addEventListener("htmx:before:request", () => history.replaceState(null, "", query() ? `/?${query()}` : "/"));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.target.id !== "f-search") return;
  event.target.value = "";
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
  event.target.blur();
  choose(board.querySelector(".card"));
});

// Where one column is seen at a time, on a phone, begin with the one in which something happens.
function showWhatHappens() {
  const columns = ["running", "review", "queued"].map((status) => document.getElementById(`col-${status}`));
  const busy =
    board.querySelector(".card.needs-you")?.closest(".column") ??
    columns.find((column) => column?.querySelector(".card"));
  if (!location.hash) busy?.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
}
showWhatHappens();

const withCard = (action) => () =>
  chosen() ? action(chosen()) : toast({ text: "Choose a card first, with the arrow keys." });
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
