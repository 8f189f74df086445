// The sidebar: all live sessions, filtered by typing, next and previous by keys.

import { onKeys } from "../aitask/keys.js";
import { connect } from "../aitask/socket.js";

const KEPT = "terminal-sessions";
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
  narrow();
}

function narrow() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const group of list.querySelectorAll(".group")) {
    const items = [...group.querySelectorAll(".session")];
    for (const item of items) item.hidden = !words.every((word) => item.dataset.words.includes(word));
    group.hidden = words.length > 0 && items.every((item) => item.hidden);
    shown += items.filter((item) => !item.hidden).length;
  }
  document.getElementById("nothing").hidden = shown > 0 || !words.length;
}

// Go to the next session of the list, or the one before.
export function step(by) {
  const items = [...list.querySelectorAll(".session:not([hidden])")];
  if (!items.length) return;
  const at = items.findIndex((item) => item.dataset.key === list.dataset.current);
  const next = items[at < 0 ? 0 : (at + by + items.length) % items.length];
  location.assign(next.querySelector("a").href);
}

filter.addEventListener("input", narrow);
filter.addEventListener("keydown", (event) => {
  const first = list.querySelector(".session:not([hidden]) a");
  if (event.key === "Enter" && first) location.assign(first.href);
  if (event.key === "Escape") {
    filter.value = "";
    narrow();
  }
});
onKeys({ j: () => step(1), k: () => step(-1), "/": () => filter.focus() });

const kept = sessionStorage.getItem(KEPT); // What was shown a moment ago, until the hosts have answered.
if (kept) show(kept);
connect("/ws/terminals", {
  message({ t, html }) {
    if (t !== "sessions") return;
    sessionStorage.setItem(KEPT, html);
    show(html);
  },
});
