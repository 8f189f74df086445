// The inbox: updated live, and usable with the keyboard alone.

import { onKeys } from "../aitask/keys.js";
import { post } from "../aitask/send.js";
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { toast } from "../aitask/toasts.js";
import { edit, keysFor, update } from "./asks.js";

const box = document.getElementById("inbox");
const { tab } = box.closest("[data-tab]").dataset;
const holds = document.getElementById("inbox-holds");
const more = document.getElementById("inbox-more");
const empty = document.getElementById("inbox-empty");
const seenAll = document.getElementById("seen-all");

connect(`/ws/inbox?tab=${tab}`, {
  message: (data) => {
    if (data.t !== "inbox") return;
    const hadFocus = box.contains(document.activeElement) || document.activeElement === document.body;
    update(box, data.rows);
    window.htmx.process(box);
    if (holds.innerHTML.trim() !== data.holds.trim()) {
      holds.innerHTML = data.holds;
      window.htmx.process(holds);
    }
    for (const count of document.querySelectorAll("[data-count]")) count.textContent = data.counts[count.dataset.count];
    more.hidden = !data.more;
    more.querySelector("[data-more]").textContent = data.more;
    empty.hidden = box.childElementCount + holds.childElementCount > 0;
    if (seenAll) seenAll.hidden = !box.childElementCount;
    tick(box);
    if (hadFocus && !box.contains(document.activeElement)) open()[0]?.focus({ preventScroll: true });
  },
});

const all = () => [...box.querySelectorAll(".asked, .result")];
const isOpen = (article) => !article.classList.contains("is-answered");
const open = () => all().filter(isOpen);
const focused = () => document.activeElement.closest?.(".asked, .result");
const current = () => focused() ?? open()[0];

function step(by) {
  const list = open();
  const at = list.indexOf(focused());
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function stepTab(by) {
  const tabs = [...document.querySelectorAll(".tabs a")];
  const at = tabs.findIndex((link) => link.hasAttribute("aria-current"));
  tabs[at + by]?.click();
}

box.addEventListener("answered", (event) => {
  const list = all();
  const at = list.indexOf(event.target);
  const next = list.slice(at + 1).find(isOpen) ?? list.slice(0, at).findLast(isOpen);
  next?.focus({ preventScroll: true });
});

// Mark runs as seen: those named, or all of this tab.
let lastSeen = [];

async function markSeen(values) {
  const answer = await post("/inbox/seen", new URLSearchParams(values));
  if (!answer) return;
  lastSeen = answer.runs;
  const text = lastSeen.length === 1 ? "Marked as seen." : `Marked ${lastSeen.length} as seen.`;
  toast({ text, undo: undoSeen });
}

async function undoSeen() {
  const runs = lastSeen;
  lastSeen = [];
  if (runs.length) await post("/inbox/unseen", new URLSearchParams(runs.map((run) => ["run", run])));
}

box.addEventListener("click", (event) => {
  const row = event.target.closest("[data-verb=seen]")?.closest(".result");
  if (row) markSeen({ run: row.dataset.run });
});
seenAll?.addEventListener("click", () => markSeen({ tab }));

const verb = (name) => (event) => !event.repeat && current()?.querySelector(`[data-verb=${name}]`)?.click();
const openTask = () => current()?.querySelector(".from a")?.click();
const isControl = (target) => target.closest("a, button");

const moves = {
  j: () => step(1),
  ArrowDown: () => step(1),
  k: () => step(-1),
  ArrowUp: () => step(-1),
  "[": () => stepTab(-1),
  "]": () => stepTab(1),
  o: openTask,
};
const forRequests = {
  ...keysFor(current),
  e: () => current() && edit(current()),
  Enter: () =>
    current()?.dataset.kind === "question"
      ? current().querySelector("form").requestSubmit(current().querySelector("[value=answer]"))
      : false,
};
const forRuns = {
  v: verb("diff"),
  y: verb("accept"),
  m: verb("merge"),
  c: verb("resume"),
  r: verb("run"),
  s: verb("seen"),
  z: undoSeen,
  Enter: (event) => (isControl(event.target) ? false : openTask()),
};
onKeys({ ...moves, ...(tab === "needs_you" ? forRequests : forRuns) });
open()[0]?.focus({ preventScroll: true });
tick(box);
