// The task page. The socket updates the conversation and the status bar; the panes are reloaded when the board changes.

import { onKeys } from "../aitask/keys.js";
import { offer, offersOf, visited } from "../aitask/palette.js";
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { setTitle } from "./attention.js";
import { watchFind } from "./find.js";
import { Incoming } from "./incoming.js";
import { isReviewing, setLayout } from "./layout.js";
import { Live } from "./live.js";
import { Log } from "./log.js";
import { toggleFold } from "./panes.js";
import { boardAddress, visit } from "./place.js";
import { takePagePorts } from "./previews.js";
import { interrupt, showTalk } from "./talk.js";
import "./newtask.js";

const panes = document.querySelector(".panes");
const head = document.getElementById("head");
const log = new Log(document.getElementById("conversation"), panes.dataset.events, () =>
  socket.send({ t: "from", after: log.last }),
);
watchFind(log);
const live = new Live(document.getElementById("live"), log);
const readRunState = () => document.getElementById("run-state").value.trim();
let isStale = false;
let runState = readRunState();

// The button beside a message or an answer opens the form that forks the conversation there.
document.getElementById("conversation").addEventListener("click", (event) => {
  const button = event.target.closest("[data-fork]");
  if (button) htmx.ajax("GET", button.dataset.fork, { target: "#run-task", swap: "innerHTML" });
});

const socket = connect(`/ws/tasks/${panes.dataset.task}`, {
  open: (send) => send({ t: "from", after: log.known }),
  message: (data) => {
    if (data.t === "events") {
      log.add(data.html, data.last);
      live.settle();
      document.dispatchEvent(new CustomEvent("events-added"));
    }
    if (data.t === "live") live.take(data);
    if (data.t === "ports") takePagePorts(data.ports[panes.dataset.task]);
    if (data.t === "head") showHead(data.html);
    if (data.t === "talk") showTalk(data);
  },
});

function showHead(html) {
  htmx.swap({ text: html, target: head, swap: "innerMorph", sourceElement: head }).then(() => tick(head));
  refreshSoon();
}

// The status bar of a busy agent changes often. Reload the panes less often.
function refreshSoon() {
  if (isStale) return;
  isStale = true;
  setTimeout(() => {
    isStale = false;
    refresh();
  }, 700);
}

async function refresh() {
  if (document.querySelector(".menu:popover-open")) return refreshSoon();
  await htmx.ajax("GET", panes.dataset.side, { target: "#facts", swap: "none", source: panes, quiet: true });
}

// Dispatch “run-changed” when a run has started or ended, or the branch was created.
function checkRunState() {
  if (readRunState() === runState) return;
  runState = readRunState();
  const detail = { branch: !runState.startsWith("|") };
  document.body.dispatchEvent(new CustomEvent("run-changed", { bubbles: true, detail }));
}

document.addEventListener("htmx:after:swap", () => {
  tick(panes);
  checkRunState();
  setTitle(`${document.querySelector(".taskhead h1").textContent} · AI Task Manager`);
});
document.addEventListener("changed", refresh);

// The list of tasks beside the conversation.
const here = panes.dataset.task;
visit(here);
const incoming = new Incoming({
  item: "sib",
  list: "list",
  changed: (row) => row.dataset.pk === here && showOwn(row),
});
connect("/ws/board", {
  open: (send) => send({ t: "show", rows: true }),
  message: (data) => {
    if (data.t === "changed") refreshSoon();
    if (data.t === "cards") incoming.take(data);
  },
});
tick(panes);

// The open task itself. Its title may have been edited in another window.
function showOwn(row) {
  row.querySelector("a").setAttribute("aria-current", "page");
  if (row.querySelector(".cut").textContent !== document.querySelector(".taskhead h1").textContent) refreshSoon();
}

function sibling(by) {
  const links = [...document.querySelectorAll("#siblings details[open] a")];
  const at = links.findIndex((link) => link.ariaCurrent === "page");
  const next = links[at + by];
  if (next) location.assign(next.href);
}

onKeys({
  j: () => sibling(1),
  k: () => sibling(-1),
  r: () => document.getElementById("run-now")?.click(),
  s: () => document.getElementById("stop")?.click(),
  x: () => document.getElementById("cancel")?.click(),
  e: () => document.querySelector("[data-edit]").click(),
  G: () => log.toNewest(),
  "[": () => toggleFold("list"),
  "]": () => (isReviewing() ? setLayout("talk") : toggleFold("side")),
  Escape: () => interrupt() || location.assign(boardAddress()),
});
visited(here);
offer(() => offersOf("#head button, #reviewbar button, #reviewbar a, #taskhead > a, #taskmenu :is(button, a)"));
