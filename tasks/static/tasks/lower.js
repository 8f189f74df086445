// The lower pane with the task's terminal. It is loaded when it is opened for the first time. Its height is stored in
// this browser, and for the last tasks whether it is open.

import { nodesOf } from "../aitask/dom.js";
import { onKeys } from "../aitask/keys.js";
import { toast } from "../aitask/toasts.js";

const OPEN_KEY = "terminal-open";
const HEIGHT_KEY = "pane:lower";
const REMEMBERED = 50;
const STEP = 24;
const lower = document.getElementById("lower");
const bar = lower.querySelector(".resizer");
const holder = lower.querySelector(".holder");
const tab = document.getElementById("tab-terminal");
const narrow = matchMedia("(max-width: 760px)");
const { task } = lower.dataset;
let view = null;
let loading = null;
let returnTo = null; // Where the focus was before the terminal was opened.

const openTasks = () => JSON.parse(localStorage.getItem(OPEN_KEY) ?? "[]");
function remember(isOpen) {
  const others = openTasks().filter((each) => each !== task);
  localStorage.setItem(OPEN_KEY, JSON.stringify(isOpen ? [...others, task].slice(-REMEMBERED) : others));
}

async function load(focus) {
  const response = await fetch(lower.dataset.source).catch(() => null);
  if (response?.redirected) return location.reload(); // The login has expired.
  if (!response?.ok) throw new Error("The terminal could not be loaded.");
  const [root] = nodesOf(await response.text());
  const sheets = [...root.querySelectorAll("link")].map((link) => new Promise((done) => (link.onload = done)));
  holder.replaceChildren(root);
  const [{ mount }] = await Promise.all([import(root.dataset.module), ...sheets]);
  view = await mount(root, { nonce: lower.dataset.nonce, focus });
  root.querySelector("#term-hide").addEventListener("click", hide);
}

async function show(focus = true) {
  lower.hidden = false;
  if (view) return view.resume();
  loading ??= load(focus);
  try {
    await loading;
  } catch (error) {
    loading = null;
    hide();
    toast({ text: error.message, hint: "Check your connection and try again.", kind: "failed" });
  }
}

function open() {
  returnTo = document.activeElement;
  if (narrow.matches) return tab.click();
  remember(true);
  show();
}

function hide() {
  lower.hidden = true;
  remember(false);
  view?.pause();
  if (narrow.matches) document.getElementById("tab-talk").click();
  else if (returnTo?.isConnected) returnTo.focus();
}

const isShown = () => lower.offsetParent !== null;
const toggle = () => (isShown() ? hide() : open());

function setHeight(height) {
  const rounded = Math.round(Math.max(bar.ariaValueMin, Math.min(height, bar.ariaValueMax, innerHeight * 0.7)));
  lower.style.setProperty("--lower", `${rounded}px`);
  bar.ariaValueNow = rounded;
  localStorage.setItem(HEIGHT_KEY, rounded);
}

bar.addEventListener("pointerdown", (down) => {
  const start = lower.offsetHeight;
  const move = (event) => setHeight(start + down.clientY - event.clientY);
  const end = () => {
    bar.removeEventListener("pointermove", move);
    bar.classList.remove("moving");
  };
  bar.setPointerCapture(down.pointerId);
  bar.classList.add("moving");
  bar.addEventListener("pointermove", move);
  bar.addEventListener("pointerup", end, { once: true });
});
bar.addEventListener("keydown", (event) => {
  const by = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
  if (!by) return;
  event.preventDefault();
  setHeight(lower.offsetHeight + by);
});

// A new tab or window shows the terminal's own page, as for every link.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-terminal]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  toggle();
});
tab.addEventListener("click", () => show());

// In the terminal as well, which takes all other keys.
addEventListener(
  "keydown",
  (event) => {
    if (event.code !== "Backquote" || !event.ctrlKey || event.shiftKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    toggle();
  },
  { capture: true },
);
onKeys({ t: toggle });

if (localStorage.getItem(HEIGHT_KEY)) setHeight(Number(localStorage.getItem(HEIGHT_KEY)));
if (!narrow.matches && openTasks().includes(task)) show(false);
