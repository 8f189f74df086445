// Requests of agents: answered with buttons and keys. A request that the user is answering is never replaced.
import { nodesOf } from "../aitask/dom.js";
import { send } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";

const GRACE = 600; // Milliseconds without answers after a request was closed elsewhere and the list has moved.
let movedAt = -GRACE;

// Update the list by id: remove closed requests, add new ones, and keep the input in those that stay.
export function update(box, html) {
  const nodes = nodesOf(html);
  const ids = new Set(nodes.map((node) => node.id));
  for (const old of [...box.children]) if (!ids.has(old.id)) remove(old);
  let place = box.firstElementChild;
  for (const node of nodes) {
    const old = document.getElementById(node.id);
    if (old && (old.dataset.stamp === node.dataset.stamp || isBeingAnswered(old))) {
      if (old !== place) box.insertBefore(old, place);
      place = old.nextElementSibling;
    } else {
      const focused = old?.contains(document.activeElement);
      old?.remove();
      place = place === old ? null : place;
      box.insertBefore(node, place?.isConnected ? place : null);
      restoreEdit(node);
      if (focused) node.focus();
    }
  }
}

const isBeingAnswered = (node) =>
  [...node.querySelectorAll("input, textarea")].some(
    (field) =>
      field === document.activeElement || field.value !== field.defaultValue || field.checked !== field.defaultChecked,
  ) || [...node.querySelectorAll("option")].some((option) => option.selected !== option.defaultSelected);

function remove(old) {
  if (!old.matches(".is-answered, .is-sending")) movedAt = performance.now();
  const focused = old.contains(document.activeElement);
  const next = old.nextElementSibling ?? old.previousElementSibling;
  old.remove();
  if (focused) next?.focus();
}

export async function decide(article, decision, { mode, grant } = {}) {
  const form = article.querySelector("form");
  if (!form || article.matches(".is-sending, .is-answered")) return;
  if (performance.now() - movedAt < GRACE) {
    toast({ text: "This list changed: another request was just answered.", hint: "Check this one and answer again." });
    return;
  }
  if (decision.startsWith("allow") && article.querySelector("[data-unopened]")) {
    toast({ text: "Not all of it is shown.", hint: "Open the whole input, then allow it." });
    article.querySelector("[data-opens-input]")?.focus();
    return;
  }
  const values = new FormData(form);
  values.set("decision", decision);
  if (mode) values.set("mode", mode);
  if (grant) values.set("grant", grant);
  article.classList.add("is-sending");
  const ok = await send(form.getAttribute("action"), values);
  article.classList.remove("is-sending");
  if (!ok) return;
  forgetEdit(article);
  article.classList.add("is-answered");
  article.dispatchEvent(new CustomEvent("answered", { bubbles: true }));
}

// Show the whole of a long input. Its digest comes with it, without which the server refuses to allow it.
async function openInput(link) {
  const response = await fetch(link.href).catch(() => null);
  const [whole] = response?.ok ? nodesOf(await response.text()) : [];
  if (!whole?.matches(".given")) {
    toast({ text: "The input could not be loaded.", hint: "Try again." });
    return;
  }
  const article = link.closest(".asked");
  link.closest(".given").replaceWith(whole);
  for (const button of article.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  article.focus({ preventScroll: true });
}

// What the user has changed of a plan or an input survives a reload of the page.
const keyOf = (article) => `draft:${article.id}`;
const forgetEdit = (article) => sessionStorage.removeItem(keyOf(article));
document.addEventListener("input", ({ target }) => {
  if (target.matches(".edited textarea")) sessionStorage.setItem(keyOf(target.closest(".asked")), target.value);
});

function restoreEdit(article) {
  const text = sessionStorage.getItem(keyOf(article));
  const box = article.querySelector(".edited textarea");
  if (text === null || !box || article.matches(".is-answered")) return;
  openEdit(article);
  box.value = text;
}

export function edit(article) {
  openEdit(article)?.focus();
}

// Return the text field.
function openEdit(article) {
  const field = article.querySelector(".edited");
  if (!field) return null;
  field.hidden = false;
  for (const input of field.querySelectorAll("textarea, input")) input.disabled = false;
  const undo = article.querySelector("[data-undo-edits]");
  if (undo) undo.hidden = false;
  const box = field.querySelector("textarea");
  if (article.dataset.kind === "plan") box.rows = Math.min(24, box.value.split("\n").length + 2);
  return box;
}

function undoEdits(article) {
  forgetEdit(article);
  const field = article.querySelector(".edited");
  field.hidden = true;
  for (const input of field.querySelectorAll("textarea, input")) {
    input.value = input.defaultValue;
    input.disabled = true;
  }
  article.querySelector("[data-undo-edits]").hidden = true;
  article.focus();
}

for (const article of document.querySelectorAll(".asked")) restoreEdit(article);

const deny = (article) => article.querySelector(".denial input, .actions [value=deny]")?.focus();

// What Enter does in a field: it sends a form, or answers a question.
const mainDecision = (article) => article.querySelector(".actions .primary")?.value ?? "answer";

// The server says what is wrong with a form: show it beside the fields, and go to the first of them.
document.addEventListener("problems", ({ detail: { ask, fields } }) => {
  const article = document.getElementById(`ask-${ask}`);
  if (!article) return;
  for (const place of article.querySelectorAll("[data-problem]")) {
    const text = fields[place.dataset.problem] ?? "";
    place.textContent = text;
    for (const input of place.closest(".field")?.querySelectorAll("input, select, textarea") ?? [])
      input.setAttribute("aria-invalid", String(text !== ""));
  }
  article.querySelector("[aria-invalid=true]")?.focus();
});

// A number applies to the focused question if it allows several options, otherwise to the first unanswered one.
function pick(article, number) {
  const sets = [...article.querySelectorAll("fieldset")];
  const many = sets.find((set) => set.contains(document.activeElement) && set.querySelector("[type=checkbox]"));
  const open = many ?? sets.find((set) => !set.querySelector(":checked")) ?? sets[0];
  const option = open?.querySelectorAll("input[type=radio], input[type=checkbox]")[number - 1];
  if (!option) return open?.querySelector(".other")?.focus();
  option.checked = option.type === "radio" || !option.checked;
  option.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-answers]");
  if (!form) return;
  event.preventDefault();
  const { value = "allow", dataset } = event.submitter ?? {};
  decide(form.closest(".asked"), value, { mode: dataset?.mode, grant: dataset?.grant });
});

document.addEventListener("click", (event) => {
  const opens = event.target.closest("a[data-opens-input]");
  if (opens) {
    event.preventDefault();
    openInput(opens);
  } else if (event.target.closest("[data-edits]")) edit(event.target.closest(".asked"));
  else if (event.target.closest("[data-undo-edits]")) undoEdits(event.target.closest(".asked"));
  // The second click of a double click may hit the next request.
  else if (event.detail > 1 && event.target.closest(".asked button")) event.preventDefault();
});

// A plan has many lines: Enter starts another one, and Ctrl+Enter approves the plan.
const sends = (event, article) => (article.dataset.kind === "plan" ? event.ctrlKey || event.metaKey : !event.shiftKey);

// Enter in a field submits it. Esc leaves the field and keeps its text.
document.addEventListener(
  "keydown",
  (event) => {
    const article = event.target.closest?.(".asked");
    if (!article) return;
    const typing = event.target.matches("input, textarea");
    if (event.key === "Escape" && typing) {
      event.preventDefault();
      event.stopPropagation();
      article.focus();
    } else if (event.key === "Enter" && event.target.closest(".denial") && event.target.matches("input")) {
      event.preventDefault();
      decide(article, "deny");
    } else if (event.key === "Enter" && event.target.matches(".edited textarea") && sends(event, article)) {
      event.preventDefault();
      decide(article, "allow");
    } else if (event.key === "Enter" && event.target.matches("fieldset input")) {
      event.preventDefault();
      decide(article, mainDecision(article));
    } else if (/^[1-9]$/.test(event.key) && event.target.matches("[type=radio], [type=checkbox]")) {
      event.preventDefault();
      pick(article, Number(event.key));
    }
  },
  true,
);

// The keyboard shortcuts for the current request, for the inbox and the task page. A held key answers only once.
export const keysFor = (current) => {
  const on = (action) => (event) => (current() && !event.repeat ? action(current()) : false);
  const numbers = Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [String(n), on((article) => pick(article, n))]),
  );
  return {
    ...numbers,
    a: on((article) => article.querySelector(".actions [value=allow]") && decide(article, "allow")),
    A: on((article) =>
      article.querySelector(".actions :is([value=allow_for_run], [data-mode]:not(.primary))")?.click(),
    ),
    d: on(deny),
  };
};
