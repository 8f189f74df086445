// Drafts: a form with data-draft keeps what is typed, for this tab, until it is saved;
// also over a reload and a new login.
const kept = (form) => `draft:${form.dataset.draft}`;
const boxes = (form) => form.querySelectorAll("textarea:not([data-secret]), input[type=text]:not([data-secret])");

document.addEventListener("input", ({ target }) => {
  if (!target.form?.dataset.draft) return;
  const texts = Object.fromEntries([...boxes(target.form)].map((box) => [box.name, box.value]));
  sessionStorage.setItem(kept(target.form), JSON.stringify(texts));
});

export function restore(form) {
  const texts = JSON.parse(sessionStorage.getItem(kept(form)) || "{}");
  for (const box of boxes(form)) if (texts[box.name]) box.value = texts[box.name];
}

document.querySelectorAll("form[data-draft]").forEach(restore);
document.addEventListener("htmx:after:swap", (event) => {
  event.detail.ctx.target?.closest?.("dialog")?.querySelectorAll("form[data-draft]").forEach(restore);
});

export const forget = (form) => sessionStorage.removeItem(kept(form));

// Saved: the draft is done with. A 204 is the server's word for it.
document.addEventListener("htmx:after:request", (event) => {
  const { sourceElement, response } = event.detail.ctx;
  if (sourceElement?.dataset?.draft && response.status === 204) forget(sourceElement);
});
