// What agents ask: answering with buttons and keys; a request that a person is answering is never redrawn.
import { nodesOf } from "../aitask/dom.js";
import { send } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";

const LOOK_AGAIN = 600; // Milliseconds in which nothing is answered after somebody else's answer has moved the list.
let moved = -LOOK_AGAIN;

// Bring the list up to date by id: what is gone goes, what is new comes, what stays keeps what was typed into it.
export function update(box, html) {
  const fresh = nodesOf(html);
  const ids = new Set(fresh.map((node) => node.id));
  for (const old of [...box.children]) if (!ids.has(old.id)) leave(old);
  let place = box.firstElementChild;
  for (const node of fresh) {
    const old = document.getElementById(node.id);
    if (old && (old.dataset.stamp === node.dataset.stamp || isBeingAnswered(old))) {
      if (old !== place) box.insertBefore(old, place);
      place = old.nextElementSibling;
    } else {
      const focused = old?.contains(document.activeElement);
      old?.remove();
      place = place === old ? null : place;
      box.insertBefore(node, place?.isConnected ? place : null);
      if (focused) node.focus();
    }
  }
}

const isBeingAnswered = (node) =>
  [...node.querySelectorAll("input, textarea")].some(
    (field) =>
      field === document.activeElement || field.value !== field.defaultValue || field.checked !== field.defaultChecked,
  );

function leave(old) {
  if (!old.matches(".is-answered, .is-sending")) moved = performance.now();
  const chosen = old.contains(document.activeElement);
  const next = old.nextElementSibling ?? old.previousElementSibling;
  old.remove();
  if (chosen) next?.focus();
}

export async function decide(article, decision, { mode } = {}) {
  const form = article.querySelector("form");
  if (!form || article.matches(".is-sending, .is-answered")) return;
  if (performance.now() - moved < LOOK_AGAIN) {
    toast({ text: "Another request has just gone from here.", hint: "Look again: this one is not answered." });
    return;
  }
  const values = new FormData(form);
  values.set("decision", decision);
  if (mode) values.set("mode", mode);
  article.classList.add("is-sending");
  const ok = await send(form.getAttribute("action"), values);
  article.classList.remove("is-sending");
  if (!ok) return;
  article.classList.add("is-answered");
  article.dispatchEvent(new CustomEvent("answered", { bubbles: true }));
}

export function edit(article) {
  const field = article.querySelector(".edited");
  if (!field) return;
  field.hidden = false;
  for (const input of field.querySelectorAll("textarea, input")) input.disabled = false;
  field.querySelector("textarea").focus();
}

const deny = (article) => article.querySelector(".denial input")?.focus();

// A number means the question that is being answered when several options may be chosen, else the first open one.
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
  decide(form.closest(".asked"), value, { mode: dataset?.mode });
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-edits]")) edit(event.target.closest(".asked"));
  // The second click of a double click may meet the next request.
  else if (event.detail > 1 && event.target.closest(".asked button")) event.preventDefault();
});

// Enter in a field does what the field is for; Esc leaves it and keeps the words.
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
    } else if (event.key === "Enter" && event.target.matches("textarea") && !event.shiftKey) {
      event.preventDefault();
      decide(article, "allow");
    } else if (event.key === "Enter" && event.target.matches("fieldset input")) {
      event.preventDefault();
      decide(article, "answer");
    } else if (/^[1-9]$/.test(event.key) && event.target.matches("[type=radio], [type=checkbox]")) {
      event.preventDefault();
      pick(article, Number(event.key));
    }
  },
  true,
);

// What a key means for a request that is chosen; the same in the inbox and on the page of a task.
// One press is one answer.
export const keysFor = (chosen) => {
  const on = (action) => (event) => (chosen() && !event.repeat ? action(chosen()) : false);
  const numbers = Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [String(n), on((article) => pick(article, n))]),
  );
  return {
    ...numbers,
    a: on((article) => article.dataset.kind !== "question" && decide(article, "allow")),
    A: on((article) => article.querySelector("[value=allow_for_run], [data-mode]")?.click()),
    d: on(deny),
  };
};
