// The command palette: tasks, pages, and what can be done on this page now. Pages offer their verbs with `offer`.
import { make } from "./dom.js";

const WAIT = 80; // Milliseconds after the last key before the server is asked for tasks.
const MOST = 30; // Options in the list.
const MOST_RECENT = 12;
const RECENT = "palette:recent";
const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

const dialog = document.getElementById("palette");
const input = dialog?.querySelector("input");
const list = dialog?.querySelector("ul");
const status = dialog?.querySelector("[role=status]");
const sources = [];
let focused = null; // What had the focus when the palette was opened.
let own = []; // Pages and verbs.
let far = []; // Pages that no menu leads to, from the server; shown when they are asked for.
let tasks = [];
let chosen = []; // What the options stand for.
let asked = 0;
let timer = 0;

// `source(focused)` returns [{ text, keys, run }], asked for each time that the palette is opened.
export const offer = (source) => sources.push(source);

// The text of a button without its keys.
export function textOf(element) {
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll("kbd, svg, [hidden]")) part.remove();
  return copy.textContent.replace(/\s+/g, " ").trim() || element.ariaLabel || "";
}

// What buttons and links of the page do, as far as they can be used now.
export const offersOf = (selector) =>
  [...document.querySelectorAll(selector)]
    .filter((element) => !element.disabled && !element.closest("[hidden]"))
    .map((element) => ({
      text: textOf(element),
      keys: element.querySelector("kbd")?.textContent,
      run: () => element.click(),
    }))
    .filter(({ text }) => text);

const recent = () => (localStorage.getItem(RECENT) ?? "").split(",").filter(Boolean);

// Note that a task was opened.
export function visited(number) {
  const numbers = [number, ...recent().filter((each) => each !== number)];
  localStorage.setItem(RECENT, numbers.slice(0, MOST_RECENT).join(","));
}

const page = (text, url) => ({ kind: "page", text, note: "Page", run: () => location.assign(url) });

const pages = () =>
  [...document.querySelectorAll(".topnav a, #usermenu a")].map((link) => page(textOf(link), link.href));

const ends = new Set(" -_/.:…");

// How well a text fits, the best with the largest number; null if its letters are not in it in this order.
export function fitness(text, query) {
  const [name, words] = [text.toLowerCase(), query.toLowerCase()];
  const place = name.indexOf(words);
  if (place >= 0) return 1000 - place - name.length / 100 + (place === 0 || ends.has(name[place - 1]) ? 500 : 0);
  let [at, points] = [-1, 0];
  for (const letter of words.replaceAll(" ", "")) {
    const next = name.indexOf(letter, at + 1);
    if (next < 0) return null;
    points += next === at + 1 ? 4 : next === 0 || ends.has(name[next - 1]) ? 6 : -1;
    at = next;
  }
  return points;
}

function open() {
  if (!dialog || document.querySelector("dialog[open]")) return;
  focused = document.activeElement;
  own = [...sources.flatMap((source) => source(focused)).map((each) => ({ kind: "verb", ...each })), ...pages()];
  tasks = [];
  input.value = "";
  dialog.showModal();
  show();
  ask();
}

// Tasks come from the server. What is there already stays until its answer has come.
async function ask() {
  const number = ++asked;
  const others = recent().filter((each) => location.pathname !== `/tasks/${each}`);
  const values = new URLSearchParams({ q: input.value.trim(), recent: others.join(",") });
  const answer = await fetch(`${dialog.dataset.tasks}?${values}`).catch(() => null);
  if (number !== asked || !answer?.ok || answer.redirected) return;
  const found = await answer.json();
  far = found.pages.map(({ text, url }) => page(text, url));
  tasks = found.tasks.map((task) => ({
    kind: "task",
    text: `#${task.number} ${task.title}`,
    note: `${task.status} · ${task.workspace}`,
    run: () => location.assign(`/tasks/${task.number}`),
  }));
  show();
}

function show() {
  const query = input.value.trim();
  const fits = [...own, ...(query ? far : [])]
    .map((each) => [fitness(each.text, query), each])
    .filter(([points]) => points !== null);
  if (query) fits.sort(([a], [b]) => b - a);
  const here = fits.map(([, each]) => each);
  const everywhere = {
    kind: "search",
    text: query ? `Search everywhere for “${query}”` : "Search everywhere",
    run: () => location.assign(`${dialog.dataset.search}${query ? `?q=${encodeURIComponent(query)}` : ""}`),
  };
  const isNumber = /^#?\d+$/.test(query);
  const strong = isNumber ? [] : here.filter((each) => !query || fitness(each.text, query) > 900);
  const weak = here.filter((each) => !strong.includes(each)).slice(0, 8);
  const found = query ? [...strong, ...tasks, ...weak] : [...tasks.slice(0, 6), ...here];
  chosen = [...found.slice(0, MOST - 1), everywhere];
  list.replaceChildren(...chosen.map(optionOf));
  input.setAttribute("aria-expanded", "true");
  select(0);
  status.textContent = `${chosen.length} options`;
}

function optionOf({ kind, text, note, keys }, place) {
  const option = make("li");
  option.id = `palette-${place}`;
  option.setAttribute("role", "option");
  option.append(dialog.querySelector(`template[data-icon="${kind}"]`).content.cloneNode(true));
  option.append(make("span", "cut", text));
  if (note) option.append(make("span", "dim small cut", note));
  if (keys) option.append(make("kbd", "", keys));
  return option;
}

const active = () => [...list.children].findIndex((option) => option.ariaSelected === "true");

function select(place) {
  for (const option of list.children) option.setAttribute("aria-selected", "false");
  const option = list.children[place];
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) input.setAttribute("aria-activedescendant", option.id);
}

function choose(place) {
  const item = chosen[place];
  if (!item) return;
  dialog.close();
  focused?.focus?.();
  item.run();
}

const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

input?.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const last = list.children.length - 1;
  if (event.key in steps) {
    const by = steps[event.key];
    const next = active() + by;
    select(Math.abs(by) === 1 ? (next + last + 1) % (last + 1) : Math.max(0, Math.min(last, next)));
  } else if (event.key === "Enter") choose(active());
  else return;
  event.preventDefault();
});
input?.addEventListener("input", () => {
  show();
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT);
});
dialog?.addEventListener("close", () => {
  asked++;
  clearTimeout(timer);
  input.setAttribute("aria-expanded", "false");
});
list?.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) choose([...list.children].indexOf(option));
});
document.addEventListener("click", (event) => event.target.closest("[data-palette]") && open());

// In a terminal, Ctrl K is the shell's own key.
document.addEventListener("keydown", (event) => {
  const isKey = event.key.toLowerCase() === "k" && !event.altKey && !event.shiftKey;
  if (!isKey || !(isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey)) return;
  if (event.target.closest?.(".xterm")) return;
  event.preventDefault();
  dialog?.open ? dialog.close() : open();
});
