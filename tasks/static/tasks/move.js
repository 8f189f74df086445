// Moving a card. To Done is a question while its work is not in main; whoever says neither leaves it where it was.
import { send } from "./send.js";

const dialog = document.getElementById("to-done");

export async function move(card, values) {
  const asks = values.status === "done" && card.dataset.status !== "done" && card.dataset.into;
  const merge = asks ? await answer(card) : "";
  if (asks && !merge) return document.dispatchEvent(new CustomEvent("changed"));
  return send(`/tasks/${card.dataset.pk}/move`, merge ? { ...values, merge } : values);
}

// Resolves to "yes", "no" (done without merging), or "" when the card is to stay.
function answer(card) {
  const { into, check } = card.dataset;
  dialog.querySelector("h2").textContent = `Merge “${card.querySelector(".title").textContent}” into ${into}?`;
  dialog.querySelector("[data-check]").textContent = check ? `First it must pass the check: ${check}` : "No check command is set, so nothing is checked first.";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}
