// Completion in boxes for prompts and messages: commands and skills after “/” at the start, files after “@”.
// A box names its address in data-complete, in which {workspace} stands for the form's field.
import { make } from "../aitask/dom.js";

const WAIT = 300; // Milliseconds before a host that has not answered yet is asked again.
const PATIENCE = 60; // How often.
const START = /(?:^|\n---[ \t]*\n)\/([^\s/]*)$/;
const FILE = /(?:^|[\s([{,;:>])@(?:"([^"\n]*)|([^\s"]*))$/;

const popup = make("div", "completions");
const list = make("ul");
const note = make("p", "dim small");
popup.popover = "manual";
list.id = "completions";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Suggestions");
note.setAttribute("role", "status");
popup.append(list, note);

let box = null; // The box that is completed.
let word = null; // What is completed: { sign, query, start, end }.
let closedAt = -1; // Where the user has closed the list: it stays closed for this word.
let asked = 0; // Answers to earlier questions are ignored.
let timer = 0;

const isBox = (target) => target instanceof HTMLTextAreaElement && !!target.dataset.complete;
const options = () => [...list.children];
const active = () => list.querySelector("[aria-selected=true]");
const isOpen = () => popup.isConnected && popup.matches(":popover-open");

function addressOf(field) {
  const elements = field.form?.elements ?? {};
  const path = field.dataset.complete.replace("{workspace}", elements.workspace?.value ?? "");
  const backend = elements.backend?.value;
  return { path, values: backend ? { backend } : {} };
}

async function fetchItems(field, values) {
  const { path, values: fixed } = addressOf(field);
  try {
    const response = await fetch(`${path}?${new URLSearchParams({ ...fixed, ...values })}`);
    return response.ok && !response.redirected ? await response.json() : null;
  } catch {
    return null; // No suggestions while the server is away; the text can be written anyway.
  }
}

// Return what stands before the caret and can be completed; null if nothing can.
function wordOf(field) {
  const { selectionStart: end, selectionEnd, value } = field;
  if (end !== selectionEnd) return null;
  const before = value.slice(0, end);
  const command = START.exec(before);
  if (command) return { sign: "/", query: command[1], start: end - command[1].length - 1, end };
  const file = FILE.exec(before);
  if (!file) return null;
  const length = file[1] === undefined ? file[2].length + 1 : file[1].length + 2;
  return { sign: "@", query: file[1] ?? file[2], start: end - length, end };
}

async function update(field, attempt = 0) {
  clearTimeout(timer);
  const found = wordOf(field);
  if (!found || found.start === closedAt) return close();
  closedAt = -1;
  const number = ++asked;
  box = field;
  word = found;
  const answer = await fetchItems(field, { sign: found.sign, q: found.query });
  if (number !== asked || document.activeElement !== field) return;
  if (!answer) return close();
  if (answer.pending && attempt < PATIENCE) timer = setTimeout(() => update(field, attempt + 1), WAIT);
  show(answer);
}

function show(answer) {
  const nodes = answer.items.map(optionOf);
  list.replaceChildren(...nodes);
  note.textContent = answer.pending ? "Asking the host…" : answer.note;
  if (!nodes.length && !note.textContent) return close();
  list.hidden = !nodes.length;
  note.hidden = !note.textContent;
  // In a modal dialog, only what is inside of it can be clicked.
  const parent = box.closest("dialog, main") ?? document.body;
  if (popup.parentNode !== parent) parent.append(popup);
  if (!isOpen()) popup.showPopover();
  place();
  describe();
  select(nodes[0]);
}

function optionOf(item, place) {
  const option = make("li");
  option.id = `completion-${place}`;
  option.setAttribute("role", "option");
  option.dataset.insert = item.insert;
  const head = make("span", "code");
  head.append(make("b", "", item.text));
  if (item.hint) head.append(" ", make("span", "dim", item.hint));
  option.append(head);
  if (item.detail) option.append(make("span", "dim small cut", item.detail));
  return option;
}

// The list is below the box, or above it where there is more room: phones have a keyboard below.
function place() {
  const { left, top, bottom, width } = box.getBoundingClientRect();
  const view = window.visualViewport;
  const [from, to] = [view?.offsetTop ?? 0, (view?.offsetTop ?? 0) + (view?.height ?? innerHeight)];
  const above = top - from - 8;
  const below = to - bottom - 8;
  const isAbove = above > below;
  popup.style.maxHeight = `${Math.max(96, Math.min(320, isAbove ? above : below))}px`;
  popup.style.width = `${Math.min(width, 640)}px`;
  popup.style.left = `${Math.max(8, left)}px`;
  const height = popup.offsetHeight;
  popup.style.top = `${isAbove ? Math.max(from + 4, top - height - 4) : Math.min(bottom + 4, to - height - 4)}px`;
}

function describe() {
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-haspopup", "listbox");
  box.setAttribute("aria-controls", list.id);
}

function select(option) {
  active()?.setAttribute("aria-selected", "false");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) box.setAttribute("aria-activedescendant", option.id);
  else box.removeAttribute("aria-activedescendant");
}

function close() {
  asked++;
  clearTimeout(timer);
  if (isOpen()) popup.hidePopover();
  popup.remove();
  for (const name of ["aria-autocomplete", "aria-haspopup", "aria-controls", "aria-activedescendant"])
    box?.removeAttribute(name);
  box = null;
}

function accept(option) {
  const field = box;
  const { start, end } = word;
  const text = `${option.dataset.insert} `;
  const [next] = field.value.slice(end);
  close();
  closedAt = start;
  field.focus();
  field.setSelectionRange(start, end + (next === " " ? 1 : 0));
  // Unlike a change of its value, this can be undone with Ctrl+Z.
  if (!document.execCommand("insertText", false, text)) {
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

const isWritten = (option) => box.value.slice(word.start, word.end) === option.dataset.insert;

function onKey(event) {
  if (!isOpen() || event.target !== box || event.isComposing) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const all = options();
  const at = all.indexOf(active());
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key === "Escape") {
    closedAt = word.start;
    close();
  } else if (event.key in steps && all.length) {
    select(all.at((at + steps[event.key]) % all.length));
  } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) {
    // What is written in full already needs no choice: Enter sends it.
    if (isWritten(all[at])) return close();
    accept(all[at]);
  } else {
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
}

document.addEventListener("keydown", onKey, true);
document.addEventListener("input", (event) => {
  if (isBox(event.target) && !event.isComposing) update(event.target);
});
document.addEventListener("compositionend", (event) => isBox(event.target) && update(event.target));
document.addEventListener("selectionchange", () => {
  if (!isOpen() || document.activeElement !== box) return;
  const found = wordOf(box);
  if (found?.start !== word.start) close();
});
document.addEventListener("focusin", ({ target }) => {
  if (isBox(target) && target !== box) fetchItems(target, {}); // The lists are ready when they are needed.
});
document.addEventListener("focusout", (event) => event.target === box && close());
// A press keeps the focus in the box; the choice is made when it ends, so that the list can be scrolled by touch.
popup.addEventListener("mousedown", (event) => event.preventDefault());
popup.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option && box) accept(option);
});
window.visualViewport?.addEventListener("resize", () => isOpen() && place());
