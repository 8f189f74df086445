// The message box: messages to the agent, interrupting it, settings for the next turn, and its requests.
import { forget } from "../aitask/drafts.js";
import { isTyping, onKeys } from "../aitask/keys.js";
import { send } from "../aitask/send.js";
import { tick } from "../aitask/times.js";
import { edit, keysFor, update } from "./asks.js";
import { clear, filesOf, hasFiles, mustWait, put } from "./attach.js";

const talk = document.getElementById("talk");
const asks = document.getElementById("asks");
const sent = document.getElementById("sent");
const work = document.getElementById("work");
const form = document.getElementById("say");
const box = form.querySelector("textarea");
const files = form.querySelector("[data-attach]");
const settings = document.getElementById("talksettings");

const shown = new Map();
let newest = {};

export function showTalk(data) {
  talk.dataset.state = data.state;
  box.dataset.over = data.over;
  talk.dataset.run = data.run;
  newest = data;
  draw();
  update(asks, data.asks);
  showPlaceholder();
}

// Parts that the user is editing are updated afterwards.
function draw() {
  if (!sent.querySelector("textarea")) show(sent, newest.sent);
  showWork(newest.work);
  if (!settings.matches(":popover-open")) show(settings, newest.menu);
}

function show(place, html) {
  if (html === undefined || shown.get(place) === html) return;
  shown.set(place, html);
  place.innerHTML = html;
}

// What the user has unfolded or folded stays so.
function showWork(html) {
  const before = new Map([...work.querySelectorAll("details")].map((part) => [part.id, part.open]));
  show(work, html);
  for (const part of work.querySelectorAll("details")) part.open = before.get(part.id) ?? part.open;
  tick(work);
}

settings.addEventListener("toggle", draw);

function showPlaceholder() {
  box.placeholder = box.dataset[talk.dataset.state] ?? "";
}

// Return whether there was a turn to interrupt.
export function interrupt() {
  if (talk.dataset.state !== "live") return false;
  send(`/runs/${talk.dataset.run}/interrupt`);
  return true;
}

async function submit(when) {
  const text = box.value.trim();
  if (mustWait(files) || !(text || hasFiles(files))) return;
  const attached = filesOf(files);
  const values = { text, when, ...(attached.length && { attachments: JSON.stringify(attached) }) };
  if (talk.dataset.state === "over") Object.assign(values, changedSettings());
  box.value = "";
  clear(files);
  if (await send(form.getAttribute("action"), values)) return forgetSent();
  if (!box.value) box.value = text;
  put(files, [...attached, ...filesOf(files)]);
}

// What was typed or attached meanwhile stays a draft.
function forgetSent() {
  if (!box.value && !hasFiles(files)) forget(form);
}

function useAgain(text) {
  box.value = [box.value.trim(), text].filter(Boolean).join("\n\n");
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
}

// An option of a question that the agent does not wait for.
document.addEventListener("click", ({ target }) => {
  const option = target.closest("[data-fill]");
  if (option) useAgain(option.dataset.fill);
});

// The changed fields of the settings menu, such as model or effort, for the next run.
function changedSettings() {
  const before = (field) => field.dataset.was ?? field.defaultValue;
  const fields = [...settings.querySelectorAll("input[name], select[name]")].filter(
    (field) => field.value !== before(field),
  );
  return Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.submitter?.value ?? "now");
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit(event.altKey ? "after_turn" : "now");
  } else if (event.key === "Escape") {
    event.stopPropagation();
    box.blur();
  }
});
document.getElementById("interrupt").addEventListener("click", interrupt);
// A model that takes no pictures is said beside them as soon as it is entered.
settings.addEventListener("input", ({ target }) => {
  if (target.name !== "model") return;
  const model = target.value.trim();
  const isIt = (option) => (model ? option.value === model : "default" in option.dataset);
  const entered = [...target.list.options].find(isIt);
  settings.querySelector("[data-takes-no-pictures]")?.remove();
  if (!entered || !("noPictures" in entered.dataset)) return;
  const mark = Object.assign(document.createElement("span"), { hidden: true });
  mark.dataset.takesNoPictures = "";
  settings.prepend(mark);
});
settings.addEventListener("submit", (event) => {
  event.preventDefault();
  const address = event.target.dataset.settings;
  if (address) send(address, new FormData(event.target));
  settings.hidePopover();
});
talk.addEventListener("click", (event) => {
  const button = event.target.closest("[data-post]");
  if (button?.dataset.again) useAgain(button.dataset.again);
  if (button) send(button.dataset.post, button.dataset.work ? { work: button.dataset.work } : undefined);
  const edited = event.target.closest("[data-edit-message]");
  if (edited) editMessage(edited);
});

// Edit a queued message in place: Enter saves, Esc cancels.
function editMessage(button) {
  const line = button.closest("article");
  const field = Object.assign(document.createElement("textarea"), { value: button.dataset.text, rows: 2 });
  field.setAttribute("aria-label", "Edit message. Enter saves, Esc cancels.");
  field.dataset.complete = box.dataset.complete;
  const before = [...line.childNodes];
  line.replaceChildren(field);
  field.focus();
  const done = () => {
    line.replaceChildren(...before);
    button.focus();
    draw();
  };
  field.addEventListener("keydown", async (event) => {
    if (event.key === "Escape") done();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (field.readOnly) return;
    field.readOnly = true;
    if (await send(button.dataset.editMessage, { text: field.value })) done();
    field.readOnly = false;
  });
}

const current = () => document.activeElement.closest?.(".asked") ?? asks.querySelector(".asked:not(.is-answered)");
onKeys({
  ...keysFor(current),
  i: () => box.focus(),
});
document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "e" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
    const article = document.activeElement.closest?.(".asked");
    if (!article) return;
    event.preventDefault();
    event.stopPropagation();
    edit(article);
  },
  true,
);
showPlaceholder();
