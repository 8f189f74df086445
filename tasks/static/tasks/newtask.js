// The panel for new tasks: nothing typed is lost, Ctrl+Enter creates and runs, the fields follow the workspace.
const kept = (form) => `draft:${form.dataset.draft}`;

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-new-task]") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  open();
});

function open() {
  const workspace = document.getElementById("f-workspace")?.value ?? "";
  htmx.ajax("GET", `/tasks/new?workspace=${workspace}`, { target: "#new-task", swap: "innerHTML" });
}

// Drafts: every form with data-draft keeps its text boxes for this tab until it is saved.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.dataset.draft) keep(form);
  if (event.target.name === "text") showParts(event.target);
});

function keep(form) {
  const texts = Object.fromEntries([...form.querySelectorAll("textarea")].map((box) => [box.name, box.value]));
  sessionStorage.setItem(kept(form), JSON.stringify(texts));
}

function restore(form) {
  const texts = JSON.parse(sessionStorage.getItem(kept(form)) || "{}");
  for (const [name, value] of Object.entries(texts)) {
    const box = form.elements[name];
    if (box && value) box.value = value;
  }
  if (form.elements.text) showParts(form.elements.text);
}

function showParts(box) {
  const shown = box.form.querySelector("[data-parts]");
  const parts = box.value.split(/^---$/m).filter((part) => part.trim()).length;
  if (shown) shown.textContent = parts > 1 ? `${parts} tasks. ` : "";
}

function ready(root) {
  for (const form of root.querySelectorAll("form[data-draft]")) restore(form);
}
document.addEventListener("htmx:after:swap", (event) => {
  const dialog = event.detail.ctx.target?.closest?.("dialog");
  if (dialog) ready(dialog);
});
ready(document);

// Saved: the draft is done with. A 204 is the server's word for it.
document.addEventListener("htmx:after:request", (event) => {
  const { sourceElement, response } = event.detail.ctx;
  if (sourceElement?.dataset?.draft && response.status === 204) sessionStorage.removeItem(kept(sourceElement));
});

document.addEventListener("created", (event) => {
  const form = document.getElementById("new-task-form");
  const dialog = document.getElementById("new-task");
  if (!event.detail.more) return dialog ? dialog.close() : location.assign("/"); // on a page of its own
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

// Going on with a conversation needs new words, starting over the old ones.
document.addEventListener("change", (event) => {
  if (event.target.name !== "resume") return;
  const box = event.target.form.elements.prompt;
  if (event.target.checked && box.value === box.defaultValue) box.value = "";
  else if (!event.target.checked && !box.value) box.value = box.defaultValue;
  box.focus();
});
