// The inbox: updated live, and usable with the keyboard alone.

import { onKeys } from "../aitask/keys.js";
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { edit, keysFor, update } from "./asks.js";

const box = document.getElementById("inbox");
const holds = document.getElementById("inbox-holds");
const count = document.getElementById("inbox-count");
const more = document.getElementById("inbox-more");
const empty = document.getElementById("inbox-empty");

connect("/ws/inbox", {
  message: (data) => {
    if (data.t !== "asks") return;
    const hadFocus = box.contains(document.activeElement) || document.activeElement === document.body;
    update(box, data.html);
    if (holds.innerHTML.trim() !== data.holds.trim()) {
      holds.innerHTML = data.holds;
      window.htmx.process(holds);
    }
    count.textContent = data.count;
    more.hidden = !data.more;
    more.querySelector("[data-count]").textContent = data.more;
    empty.hidden = box.childElementCount + holds.childElementCount > 0;
    tick(box);
    if (hadFocus && !box.contains(document.activeElement)) open()[0]?.focus({ preventScroll: true });
  },
});

const all = () => [...box.querySelectorAll(".asked")];
const isOpen = (article) => !article.classList.contains("is-answered");
const open = () => all().filter(isOpen);
const current = () => document.activeElement.closest?.(".asked") ?? open()[0];

function step(by) {
  const list = open();
  const at = list.indexOf(document.activeElement.closest?.(".asked"));
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

box.addEventListener("answered", (event) => {
  const list = all();
  const at = list.indexOf(event.target);
  const next = list.slice(at + 1).find(isOpen) ?? list.slice(0, at).findLast(isOpen);
  next?.focus({ preventScroll: true });
});

const keys = keysFor(current);
onKeys({
  ...keys,
  j: () => step(1),
  ArrowDown: () => step(1),
  k: () => step(-1),
  ArrowUp: () => step(-1),
  e: () => current() && edit(current()),
  o: () => current()?.querySelector(".from a")?.click(),
  Enter: () =>
    current()?.dataset.kind === "question"
      ? current().querySelector("form").requestSubmit(current().querySelector("[value=answer]"))
      : false,
});
open()[0]?.focus({ preventScroll: true });
tick(box);
