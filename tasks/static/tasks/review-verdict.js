// The verdict bar: its keys, where the focus goes after a verdict, and the form that requests changes.
import { onKeys } from "../aitask/keys.js";

const bar = document.getElementById("reviewbar");
const form = document.querySelector("#request-changes form");
const click = (id) => () => document.getElementById(id)?.click();

onKeys({
  y: click("accept"),
  b: click("ask-for-changes"),
  ".": click("review-next"),
  ",": click("review-previous"),
});

// The button that was pressed is gone after a verdict: go on with the next task, or with what is left.
let hadFocus = false;
document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
  if (ctx.target === bar) hadFocus = bar.contains(document.activeElement);
});
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target !== bar || !hadFocus) return;
  hadFocus = false;
  (document.getElementById("review-next") ?? bar.querySelector("button, a"))?.focus();
});

form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  event.stopPropagation();
  form.querySelector("[type=submit]").click();
});
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement === form && ctx.response.status === 204) form.reset();
});
