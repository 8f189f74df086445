// Drafts: the input of a form with data-draft is stored per tab until the form is saved, so that it survives a reload
// and a new login.
const keyOf = (form) => `draft:${form.dataset.draft}`;
const fieldsOf = (form) =>
  form.querySelectorAll("textarea:not([data-secret]), input[type=text]:not([data-secret]), input[data-drafted]");

document.addEventListener("input", ({ target }) => {
  if (!target.form?.dataset.draft) return;
  const values = Object.fromEntries([...fieldsOf(target.form)].map((field) => [field.name, field.value]));
  sessionStorage.setItem(keyOf(target.form), JSON.stringify(values));
});

// What the form was about when the draft was begun (data-drafted) belongs to the draft, unless the server has answered it.
const mayRestore = (form, field) => !("drafted" in field.dataset && "answer" in form.dataset);

export function restore(form) {
  const values = JSON.parse(sessionStorage.getItem(keyOf(form)) || "{}");
  for (const field of fieldsOf(form))
    if (values[field.name] && mayRestore(form, field)) field.value = values[field.name];
}

// “Use this” puts the value that is shown with the button into the form's field.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-use-for]");
  if (!button) return;
  const field = button.form.elements[button.dataset.useFor];
  field.value = button.closest(".edit-conflict").querySelector("pre").textContent;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});

document.querySelectorAll("form[data-draft]").forEach(restore);
document.addEventListener("htmx:after:swap", (event) => {
  event.detail.ctx.target?.closest?.("dialog")?.querySelectorAll("form[data-draft]").forEach(restore);
});

// The names of the drafts that have words and begin with a prefix.
export function storedAs(prefix) {
  const names = Object.keys(sessionStorage).filter((key) => key.startsWith(`draft:${prefix}`));
  return names
    .filter((key) => /[^\s]/.test(Object.values(JSON.parse(sessionStorage[key])).join("")))
    .map((key) => key.slice("draft:".length));
}

export const forget = (form) => sessionStorage.removeItem(keyOf(form));

// A 204 response means that the form was saved: delete its draft.
document.addEventListener("htmx:after:request", (event) => {
  const { sourceElement, response } = event.detail.ctx;
  if (sourceElement?.dataset?.draft && response.status === 204) forget(sourceElement);
});
