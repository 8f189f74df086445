// Verbs for many tasks: what they will do is asked where work or money is at stake, and what they did is told.
import { post } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";

const ASKED = ["cancel", "merge", "close", "delete"];
const WORKED = ["review", "done"];
const dialog = document.getElementById("many");

const named = (pks) => pks.map((pk) => ["task", pk]);
const filter = () => [...new FormData(document.getElementById("filter"))];

// With the tasks of these cards.
export function startWith(verb, cards) {
  const pks = cards.map((card) => card.dataset.pk);
  const mustAsk =
    ASKED.includes(verb) || (verb === "run" && cards.some((card) => WORKED.includes(card.dataset.status)));
  return mustAsk ? show([["verb", verb], ...named(pks)]) : act([["verb", verb], ...named(pks)]);
}

// With the tasks of a column that the filter shows, also those that are not loaded.
export function startInColumn(verb, column) {
  const values = [["verb", verb], ["column", column], ...filter()];
  return verb === "run" || ASKED.includes(verb) ? show(values) : act(values);
}

// The same without a question, for keys that nobody presses by mistake.
export const startAtOnce = (verb, column) => act([["verb", verb], ["column", column], ...filter()]);

const show = (values) =>
  htmx.ajax("GET", `/tasks/many/plan?${new URLSearchParams(values)}`, { target: "#many", swap: "innerHTML" });

async function act(values) {
  const outcome = await post("/tasks/many", new URLSearchParams(values));
  if (!outcome) return false;
  document.dispatchEvent(new CustomEvent("changed"));
  document.dispatchEvent(new CustomEvent("many-done"));
  tell(outcome);
  return true;
}

function tell({ text, reasons, kind, undo, link }) {
  const takeBack = async () => {
    for (const { verb, tasks } of undo) await act([["verb", verb], ...named(tasks)]);
  };
  toast({ text, hint: reasons.join(" "), kind, link, undo: undo.length ? takeBack : null });
}

// What the page before this one has done (plan.js).
const told = sessionStorage.getItem("many:told");
if (told) {
  sessionStorage.removeItem("many:told");
  tell(JSON.parse(told));
}

dialog.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const values = [["verb", form.dataset.verb], ...new FormData(form)];
  dialog.close();
  await act(values);
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-column-verb]");
  if (button) startInColumn(button.dataset.columnVerb, button.closest(".column").dataset.status);
});
