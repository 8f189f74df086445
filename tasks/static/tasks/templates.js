// Prompt templates in the form for new tasks: insert one at the cursor, save the text as one.
import { post } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";

document.addEventListener("change", async ({ target }) => {
  if (!target.matches("[data-insert-template]") || !target.value) return;
  const box = target.form.elements.text;
  const response = await fetch(target.value).catch(() => null);
  target.value = "";
  if (!response?.ok || response.redirected)
    return toast({ text: "The template could not be loaded.", hint: "Try again.", kind: "failed" });
  box.setRangeText(await response.text(), box.selectionStart, box.selectionEnd, "end");
  box.focus();
  box.dispatchEvent(new InputEvent("input", { bubbles: true }));
});

document.addEventListener("click", async ({ target }) => {
  const path = target.closest?.("[data-save-template]")?.dataset.saveTemplate;
  if (!path) return;
  const form = target.closest("form");
  const name = document.getElementById("template-name");
  const values = { workspace: form.elements.workspace.value, name: name.value, text: form.elements.text.value };
  if (await post(path, new URLSearchParams(values))) name.value = "";
});
