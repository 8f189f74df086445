// Spotlight: its keys, the previews of its checkout, and its bar on pages that have no socket.

import "./previews.js";
import { onKeys } from "../aitask/keys.js";

const press = (verb) => () => document.querySelector(`[data-spotlight="${verb}"]`)?.click();

onKeys({ "z z": press("show"), "z n": press("next"), "z r": press("refresh"), "z b": press("back") });

const bar = document.querySelector("#spotlight[data-url]");

async function refresh() {
  await htmx.ajax("GET", bar.dataset.url, { target: bar, swap: "innerMorph", source: bar, quiet: true });
  if (bar.querySelector("[data-busy]")) setTimeout(refresh, 1000);
}

if (bar) {
  document.addEventListener("changed", refresh);
  if (bar.querySelector("[data-busy]")) refresh();
}
