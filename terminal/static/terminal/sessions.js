// The sidebar: all live sessions, with a filter and keys for the next and the previous one.

import { ask } from "../aitask/dialogs.js";
import { onKeys } from "../aitask/keys.js";
import { send } from "../aitask/send.js";
import { connect } from "../aitask/socket.js";

const CACHE_KEY = "terminal-sessions";
const list = document.getElementById("sessions");
const filter = document.getElementById("filter");

function show(html) {
  const focused = document.activeElement?.closest?.(".session")?.dataset.key;
  list.innerHTML = html;
  for (const item of list.querySelectorAll(".session")) {
    item.classList.toggle("current", item.dataset.key === list.dataset.current);
    if (item.classList.contains("current")) item.querySelector("a").setAttribute("aria-current", "page");
    if (item.dataset.key === focused) item.querySelector("a").focus();
  }
  applyFilter();
}

function applyFilter() {
  const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const group of list.querySelectorAll(".group")) {
    const items = [...group.querySelectorAll(".session")];
    for (const item of items) item.hidden = !terms.every((term) => item.dataset.words.includes(term));
    group.hidden = terms.length > 0 && items.every((item) => item.hidden);
    shown += items.filter((item) => !item.hidden).length;
  }
  document.getElementById("nothing").hidden = shown > 0 || !terms.length;
}

// Go to the next (1) or previous (-1) session in the list.
export function step(by) {
  const items = [...list.querySelectorAll(".session:not([hidden])")];
  if (!items.length) return;
  const at = items.findIndex((item) => item.dataset.key === list.dataset.current);
  const next = items[at < 0 ? 0 : (at + by + items.length) % items.length];
  location.assign(next.querySelector("a").href);
}

// Close the sessions of which only the shell of an ended run is left. The server checks each again.
async function closeFinished({ dataset }) {
  const tasks = dataset.closeFinished.trim();
  const count = tasks.split(" ").length;
  const lost = `${dataset.titles}. The agent has ended, and nothing runs in the shell that it left. The output is saved first. Your own shells and other sessions stay open.`;
  const question = count === 1 ? "Close this finished session?" : `Close ${count} finished sessions?`;
  if (await ask(question, { lost, yes: count === 1 ? "Close it" : "Close them" }))
    send("/terminals/close-finished", { tasks });
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("[data-close-finished]");
  if (button) closeFinished(button);
});
filter.addEventListener("input", applyFilter);
filter.addEventListener("keydown", (event) => {
  const first = list.querySelector(".session:not([hidden]) a");
  if (event.key === "Enter" && first) location.assign(first.href);
  if (event.key === "Escape") {
    filter.value = "";
    applyFilter();
  }
});
onKeys({ j: () => step(1), k: () => step(-1), "/": () => filter.focus() });

const cached = sessionStorage.getItem(CACHE_KEY); // Show the last known list until the hosts have responded.
if (cached) show(cached);
connect("/ws/terminals", {
  message({ t, html }) {
    if (t !== "sessions") return;
    sessionStorage.setItem(CACHE_KEY, html);
    show(html);
  },
});
