// The selected card, moving between cards with keys, and the actions for a card.

import { ask } from "../aitask/dialogs.js";
import { openMenu } from "../aitask/menus.js";
import { textOf } from "../aitask/palette.js";
import { send } from "../aitask/send.js";
import { startWith } from "./many.js";
import { move, runAgain, worked } from "./move.js";
import { above, below, leave, select, selected, stay } from "./place.js";
import { toggle } from "./selection.js";

const board = document.getElementById("board");
const menu = document.getElementById("cardmenu");
const titleOf = (card) => card.querySelector(".title").textContent;
let menuCard = null;

export function step(columns, rows) {
  const card = selected();
  const lists = [...board.querySelectorAll(".cards")];
  if (!card) return select(board.querySelector(".card"));
  const cardsOf = (list) => [...list.querySelectorAll(".card:not([hidden])")];
  const row = cardsOf(card.parentElement).indexOf(card);
  if (rows) return select(cardsOf(card.parentElement)[row + rows]);
  let at = lists.indexOf(card.parentElement) + columns;
  while (lists[at] && !cardsOf(lists[at]).length) at += columns;
  if (lists[at]) select(cardsOf(lists[at])[Math.min(row, cardsOf(lists[at]).length - 1)]);
}

async function post(card, verb, values) {
  leave(card);
  if (!(await send(`/tasks/${card.dataset.pk}/${verb}`, values))) stay();
}

const form = (card, name) =>
  htmx.ajax("GET", `/tasks/${card.dataset.pk}/${name}?from=board`, { target: `#${name}-task`, swap: "innerHTML" });

export const verbs = {
  open: (card) => location.assign(card.querySelector(".title").href),
  terminal: (card) => location.assign(`/tasks/${card.dataset.pk}/terminal`),
  run: (card) => (worked(card) ? runAgain(card) : post(card, "run")),
  move: (card, { status }) => {
    leave(card);
    return move(card, { status });
  },
  up: (card) => move(card, { status: card.dataset.status, before: above(card)?.dataset.pk ?? "" }),
  down: (card) => move(card, { status: card.dataset.status, before: below(below(card))?.dataset.pk ?? "" }),
  edit: (card) => form(card, "edit"),
  duplicate: (card) =>
    htmx.ajax("GET", `/tasks/new?like=${card.dataset.pk}`, { target: "#new-task", swap: "innerHTML" }),
  choose: (card) => toggle(card),
  spotlight: (card) => send(`/tasks/${card.dataset.pk}/spotlight`),
  archive: (card) => startWith("archive", [card]),
  unarchive: (card) => startWith("unarchive", [card]),
  menu: (card) => {
    menuCard = card;
    menu.querySelector("[data-title]").textContent = titleOf(card);
    for (const item of menu.querySelectorAll("[data-verb]")) {
      const can = isAvailable(item.dataset, card);
      item.disabled = !can;
      item.hidden = !can && item.dataset.verb.endsWith("archive");
    }
    openMenu(menu, card.querySelector("[data-cardmenu]"));
  },
  cancel: async (card) => {
    const queued = allows(card, "unqueue");
    if (!queued && !allows(card, "cancel")) return;
    const texts = queued
      ? { lost: "The run has not started yet.", yes: "Unqueue", no: "Keep queued" }
      : {
          lost: "This kills the agent and everything that it started. Its work so far stays in the worktree.",
          yes: "Cancel run",
          no: "Keep running",
        };
    const question = `${queued ? "Unqueue" : "Cancel"} the run of “${titleOf(card)}”?`;
    if (await ask(question, texts)) post(card, queued ? "unqueue" : "cancel");
  },
  delete: async (card) => {
    const lost =
      "Its runs, events and files are removed, also from its host. Its tokens and cost stay in the totals; " +
      "branch, worktree and commits stay on the host.";
    if (await ask(`Delete “${titleOf(card)}”?`, { lost, yes: "Delete" })) post(card, "delete", { from: "board" });
  },
};

// Whether the server allows the verb in the card's current state; see tasks/verbs.py.
const allows = (card, verb) => card.dataset.verbs.split(" ").includes(verb);

function isAvailable({ verb, status }, card) {
  if (["run", "delete", "archive", "unarchive", "spotlight"].includes(verb)) return allows(card, verb);
  if (verb === "cancel") return allows(card, "unqueue") || allows(card, "cancel");
  if (verb === "move") return status !== card.dataset.status && allows(card, `move-${status}`);
  if (verb === "up") return !!above(card);
  if (verb === "down") return !!below(card);
  return true;
}

// What the command palette offers for a card: what its menu does now.
export const offersFor = (card) =>
  [...menu.querySelectorAll("[data-verb]")]
    .filter((item) => isAvailable(item.dataset, card))
    .map((item) => {
      const words = item.dataset.verb === "move" ? `Move to ${textOf(item)}` : textOf(item);
      const run = () => verbs[item.dataset.verb](card, item.dataset);
      return { text: `${words}: ${titleOf(card)}`, keys: item.querySelector("kbd")?.textContent, run };
    });

menu.addEventListener("click", (event) => {
  const item = event.target.closest("[data-verb]");
  if (!item || !menuCard) return;
  menu.hidePopover();
  const card = document.getElementById(menuCard.id) ?? menuCard;
  select(card);
  verbs[item.dataset.verb](card, item.dataset);
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-cardmenu]");
  if (opener) verbs.menu(opener.closest(".card"));
});
document.addEventListener("contextmenu", (event) => {
  const card = event.target.closest?.(".card");
  if (!card || event.shiftKey || getSelection().toString()) return;
  event.preventDefault();
  verbs.menu(card);
});
