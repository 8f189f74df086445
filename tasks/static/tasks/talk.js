// The box to talk to the agent: messages, interrupting, settings of the next turn, and what the agent asks.
import { forget } from "../aitask/drafts.js";
import { isTyping, onKeys } from "../aitask/keys.js";
import { send } from "../aitask/send.js";
import { edit, keysFor, update } from "./asks.js";

const talk = document.getElementById("talk");
const asks = document.getElementById("asks");
const sent = document.getElementById("sent");
const form = document.getElementById("say");
const words = form.querySelector("textarea");
const settings = document.getElementById("talksettings");

const drawn = new Map();
let newest = {};

export function showTalk(data) {
  talk.dataset.state = data.state;
  talk.dataset.run = data.run;
  newest = data;
  draw();
  update(asks, data.asks);
  showState();
}

// What a person is changing stays as it is until that is done.
function draw() {
  if (!sent.querySelector("textarea")) show(sent, newest.sent);
  if (!settings.matches(":popover-open")) show(settings, newest.menu);
}

function show(place, html) {
  if (html === undefined || drawn.get(place) === html) return;
  drawn.set(place, html);
  place.innerHTML = html;
}

settings.addEventListener("toggle", draw);

function showState() {
  words.placeholder = words.dataset[talk.dataset.state] ?? "";
}

// Whether there was a turn to stop.
export function interrupt() {
  if (talk.dataset.state !== "live") return false;
  send(`/runs/${talk.dataset.run}/interrupt`);
  return true;
}

async function say(when) {
  const text = words.value.trim();
  if (!text) return;
  const values = { text, when };
  if (talk.dataset.state === "over") Object.assign(values, chosenSettings());
  words.value = "";
  if (await send(form.getAttribute("action"), values)) forget(form);
  else if (!words.value) words.value = text;
}

function useAgain(text) {
  words.value = [words.value.trim(), text].filter(Boolean).join("\n\n");
  words.dispatchEvent(new Event("input", { bubbles: true }));
  words.focus();
}

// A model or effort that was changed in the menu goes with the next run.
function chosenSettings() {
  const fields = [...settings.querySelectorAll("input[name]")].filter((field) => field.value !== field.defaultValue);
  return Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  say(event.submitter?.value ?? "now");
});
words.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    say(event.altKey ? "after_turn" : "now");
  } else if (event.key === "Escape") {
    event.stopPropagation();
    words.blur();
  }
});
document.getElementById("interrupt").addEventListener("click", interrupt);
settings.addEventListener("submit", (event) => {
  event.preventDefault();
  const address = event.target.dataset.settings;
  if (address) send(address, new FormData(event.target));
  settings.hidePopover();
});
talk.addEventListener("click", (event) => {
  const button = event.target.closest("[data-post]");
  if (button?.dataset.again) useAgain(button.dataset.again);
  if (button) send(button.dataset.post);
  const edited = event.target.closest("[data-edit-message]");
  if (edited) editMessage(edited);
});

// The words of one message in a field: Enter sends them, Esc leaves the message as it was.
function editMessage(button) {
  const line = button.closest("article");
  const field = Object.assign(document.createElement("textarea"), { value: button.dataset.text, rows: 2 });
  field.setAttribute("aria-label", "The message in other words: Enter sends them, Esc keeps the old ones");
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

const chosen = () => document.activeElement.closest?.(".asked") ?? asks.querySelector(".asked:not(.is-answered)");
onKeys({
  ...keysFor(chosen),
  i: () => words.focus(),
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
showState();
