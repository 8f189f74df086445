// The search page: the address follows the form, the arrow keys go through the results, and Enter opens the first.
import { onKeys } from "../aitask/keys.js";
import { tick } from "../aitask/times.js";

const form = document.getElementById("search");
const box = document.getElementById("search-text");
const results = document.getElementById("results");

const links = () => [...results.querySelectorAll("[data-result]")].filter((link) => link.getClientRects().length);

form.addEventListener("htmx:before:request", () => {
  const values = [...new FormData(form)].filter(([, value]) => value);
  history.replaceState(null, "", `${form.getAttribute("action")}?${new URLSearchParams(values)}`);
});
// Enter asks again, so that it opens what fits the words that are typed.
let opensFirst = false;
form.addEventListener("submit", () => {
  opensFirst = true;
});
form.addEventListener("input", () => {
  opensFirst = false;
});
document.addEventListener("htmx:after:swap", () => {
  tick(results);
  if (opensFirst) results.querySelector("li [data-result]")?.click();
  opensFirst = false;
});

document.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const isHere = event.target === box || event.target === document.body || results.contains(event.target);
  if (!by || !isHere || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open], .menu:popover-open")) return;
  const all = links();
  const at = all.indexOf(document.activeElement);
  if (at < 0 && by < 0) return;
  const next = at + by < 0 ? box : all[at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  event.preventDefault();
});
box.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !box.value) return;
  event.preventDefault();
  box.value = "";
  box.dispatchEvent(new Event("input", { bubbles: true }));
});
onKeys({
  "/": () => {
    box.focus();
    box.select();
  },
});
tick(results);
