// Moving a card. To Done is a question while its work is not in main; whoever says neither leaves it where it was.
import { send } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";

const dialog = document.getElementById("to-done");
const STILL = ["backlog", "review", "done"]; // Between these nothing starts or ends, so a move can be taken back.

// `next` is the card that it stood before.
export async function move(card, values, next = card.nextElementSibling?.dataset.pk ?? "") {
  const from = card.dataset.status;
  const asks = values.status === "done" && card.dataset.status !== "done" && card.dataset.into;
  const merge = asks ? await answer(card) : "";
  if (asks && !merge) return document.dispatchEvent(new CustomEvent("changed"));
  const path = `/tasks/${card.dataset.pk}/move`;
  const done = await send(path, merge ? { ...values, merge } : values);
  const mayReturn =
    values.status !== from && merge !== "yes" && [from, values.status].every((status) => STILL.includes(status));
  if (done && mayReturn)
    toast({ text: `Moved to ${nameOf(values.status)}.`, undo: () => send(path, { status: from, before: next }) });
  return done;
}

const nameOf = (status) => document.getElementById(`colname-${status}`).textContent;

// Resolves to "yes", "no" (done without merging), or "" when the card is to stay.
function answer(card) {
  const { into, check } = card.dataset;
  dialog.querySelector("h2").textContent = `Merge “${card.querySelector(".title").textContent}” into ${into}?`;
  dialog.querySelector("[data-check]").textContent = check
    ? `First it must pass the check: ${check}`
    : "No check command is set, so nothing is checked first.";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}
