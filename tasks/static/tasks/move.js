// Moving a card. A move to Done asks whether to merge the task's branch first; Cancel leaves the card in its column.
import { send } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";
import { above, below, leave } from "./place.js";

const dialog = document.getElementById("to-done");
const WORKED = ["review", "done"]; // What stands here has been worked on: running it again changes that work.
const REVERSIBLE = ["backlog", "review", "done"]; // A move between these starts and ends nothing, so it can be undone.

// `next` is the id of the card below it.
export async function move(card, values, next = below(card)?.dataset.pk ?? "") {
  const from = card.dataset.status;
  if (values.status === "queued" && worked(card)) {
    document.dispatchEvent(new CustomEvent("changed")); // A dragged card returns.
    return runAgain(card);
  }
  const mustAsk = values.status === "done" && card.dataset.status !== "done" && card.dataset.into;
  const merge = mustAsk ? await askWhetherToMerge(card) : "";
  if (mustAsk && !merge) return document.dispatchEvent(new CustomEvent("changed"));
  const path = `/tasks/${card.dataset.pk}/move`;
  const done = await send(path, merge ? { ...values, merge } : values);
  const canUndo =
    values.status !== from && merge !== "yes" && [from, values.status].every((status) => REVERSIBLE.includes(status));
  if (done && values.status === from && isSortedElsewhere(card, values.before))
    toast({ text: "Cards with a higher priority come first. Edit the task to change its priority." });
  if (done && canUndo)
    toast({ text: `Moved to ${nameOf(values.status)}.`, undo: () => send(path, { status: from, before: next }) });
  return done;
}

// The smaller number is the higher priority. What is no card has none.
const priorityOf = (card) => Number(card?.dataset.order?.split(" ")[0] ?? Number.NaN);

function isSortedElsewhere(card, before) {
  const next = document.getElementById(`card-${before}`);
  const last = next ? above(next) : card.parentElement.lastElementChild;
  const previous = last === card ? above(card) : last;
  return priorityOf(next) < priorityOf(card) || priorityOf(previous) > priorityOf(card);
}

export const worked = (card) => WORKED.includes(card.dataset.status);

// The dialog of the task page, which starts a run only when it is confirmed.
export async function runAgain(card) {
  leave(card);
  const path = `/tasks/${card.dataset.pk}/run?from=board`;
  await htmx.ajax("GET", path, { target: "#run-task", swap: "innerHTML" });
}

const nameOf = (status) => document.getElementById(`colname-${status}`).textContent;

// Resolve to "yes", "no" (close without merging) or "" (cancelled).
function askWhetherToMerge(card) {
  const { into, check } = card.dataset;
  dialog.querySelector("h2").textContent = `Merge “${card.querySelector(".title").textContent}” into ${into}?`;
  dialog.querySelector("[data-check]").textContent = check
    ? `The check must pass first: ${check}`
    : "No check command is set, so it is merged without a check.";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}
