// The form for new tasks. Ctrl+Enter creates and runs; the fields depend on the workspace.
import "../aitask/drafts.js";
import "./after.js";
import "./attach.js";
import "./complete.js";
import { pointsIn, toPlan } from "./plan-text.js";
import "./templates.js";

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-new-task]") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  open();
});

function open() {
  const workspace = document.getElementById("f-workspace")?.value ?? "";
  htmx.ajax("GET", `/tasks/new?workspace=${workspace}`, { target: "#new-task", swap: "innerHTML" });
}

document.addEventListener("input", (event) => {
  if (event.target.name === "text") showParts(event.target);
});

function showParts(box) {
  const shown = box.form.querySelector("[data-parts]");
  const parts = box.value.split(/^---[ \t]*$/m).filter((part) => part.trim()).length;
  if (shown) shown.textContent = parts > 1 ? `${parts} tasks. ` : "";
  showList(box, parts);
}

// A text that looks like a list is offered to be split.
function showList(box, parts) {
  const told = box.form.querySelector("[data-list]");
  if (!told) return;
  const points = parts > 1 ? 0 : pointsIn(box.value);
  box.form.querySelector("[data-plan=split]").classList.toggle("primary", points > 1);
  const text = points > 1 ? `This looks like ${points} tasks.` : "";
  if (told.textContent !== text) told.textContent = text;
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-plan]");
  if (button?.form) toPlan(button.form, button.dataset.plan);
});

// The text may come from a stored draft.
function ready() {
  const text = document.getElementById("new-task-form")?.elements.text;
  if (text) showParts(text);
}
document.addEventListener("htmx:after:swap", ready);
ready();

document.addEventListener("created", (event) => {
  const form = document.getElementById("new-task-form");
  const dialog = document.getElementById("new-task");
  if (!event.detail.more) return dialog ? dialog.close() : location.assign("/"); // The form has its own page.
  form.elements.text.value = "";
  form.elements.text.focus();
  showParts(form.elements.text);
});

document.addEventListener("keydown", (event) => {
  const form = event.target.form;
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !form?.dataset.draft) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("button.primary"));
});

// To continue a conversation, start with an empty prompt; for a new one, with the task's prompt.
document.addEventListener("change", (event) => {
  if (event.target.name !== "resume") return;
  const box = event.target.form.elements.prompt;
  if (event.target.checked && box.value === box.defaultValue) box.value = "";
  else if (!event.target.checked && !box.value) box.value = box.defaultValue;
  box.focus();
});
