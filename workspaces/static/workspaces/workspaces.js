// The workspace form: SSH fields only for a server, drafts, and focus on the first field with an error.
import "../aitask/drafts.js";

document.addEventListener("change", (event) => {
  if (event.target.name === "kind") event.target.form.dataset.kind = event.target.value;
});

document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.response?.status === 422) document.querySelector('.wsform [aria-invalid="true"]')?.focus();
});
