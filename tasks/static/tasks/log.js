// The conversation as a window on a list that may have tens of thousands of events. Only the part around what is
// read is in the page; it follows the end unless the reader has scrolled up.
import { nodesOf } from "../aitask/dom.js";
import { adopt, release } from "./results.js";

const MOST = 600; // Rows kept in the page.
const NEAR = 600; // Pixels from an edge at which more is fetched.
const END = 48; // Pixels from the end that still count as reading the end.

const parse = (text) => (text ? text.split(".").map(Number) : null);
const later = (a, b) => !b || a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
const placeOf = (row) => parse(row.dataset?.place);

export function openLog(box, address) {
  const rows = box.querySelector("#rows");
  const older = box.querySelector("#older");
  const newest = document.getElementById("newest");
  const end = parse(rows.dataset.last) ?? [0, 0];
  const log = { last: end, known: end, onCaughtUp() {}, add, toNewest }; // The last in the page, the last heard of.
  let first = parse(rows.dataset.first);
  let complete = true; // The newest event is in the page.
  let following = true;
  let loading = false;
  let missed = 0;

  function add(html, last) {
    log.known = last;
    if (!complete) return noteMissed(nodesOf(html).length);
    const fresh = nodesOf(html).filter((row) => !row.dataset.place || later(placeOf(row), log.last));
    log.last = last;
    for (const row of fresh) row.classList.add("is-new");
    document.querySelector(".idea")?.remove();
    rows.append(...fresh);
    adopt(rows);
    if (following) {
      trim("start");
      toEnd();
    } else {
      noteMissed(fresh.length);
      trim("end");
    }
  }

  function noteMissed(count) {
    missed += count;
    showNewest();
  }

  function showNewest() {
    newest.hidden = following && complete;
    newest.lastElementChild.textContent = missed ? `${missed} new` : "Newest";
  }

  // Drop rows far from what is read; what was dropped can be fetched again.
  function trim(side) {
    const extra = rows.children.length - MOST;
    if (extra < MOST / 4) return;
    const gone = [...rows.children].slice(...(side === "start" ? [0, extra] : [-extra]));
    release(gone);
    for (const row of gone) row.remove();
    const kept = [...rows.children].filter((row) => row.dataset.place);
    if (side === "start") {
      first = placeOf(kept[0]);
      older.hidden = false;
    } else {
      log.last = placeOf(kept.at(-1));
      complete = false;
    }
  }

  async function load(side) {
    if (loading) return;
    loading = true;
    box.setAttribute("aria-busy", "true");
    try {
      const where = side === "older" ? `before=${first.join(".")}` : `after=${log.last.join(".")}`;
      const response = await fetch(`${address}?${where}`);
      if (!response.ok) return;
      const html = await response.text();
      const place = (name) => parse(response.headers.get(name));
      const more = response.headers.get("X-More") === "yes";
      side === "older" ? prepend(html, place("X-First"), more) : append(html, place("X-Last"), more);
    } finally {
      loading = false;
      box.removeAttribute("aria-busy");
    }
  }

  function prepend(html, place, more) {
    keepStill(() => rows.prepend(...nodesOf(html)));
    first = place ?? first;
    older.hidden = !more;
    adopt(rows);
    trim("end");
  }

  function append(html, place, more) {
    rows.append(...nodesOf(html));
    log.last = place ?? log.last;
    if (later(log.last, log.known)) log.known = log.last;
    complete = !more;
    adopt(rows);
    keepStill(() => trim("start"));
    if (complete) {
      missed = 0;
      log.onCaughtUp();
      showNewest();
    }
  }

  // What is read stays where it is while rows come or go above it.
  function keepStill(change) {
    const top = box.getBoundingClientRect().top;
    const anchor = [...rows.children].find((row) => row.getBoundingClientRect().bottom > top);
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (anchor?.isConnected) box.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  function toEnd() {
    box.scrollTop = box.scrollHeight;
  }

  async function toNewest() {
    if (!complete) {
      const response = await fetch(address);
      if (!response.ok) return;
      rows.replaceChildren(...nodesOf(await response.text()));
      first = parse(response.headers.get("X-First"));
      log.last = log.known = parse(response.headers.get("X-Last"));
      older.hidden = response.headers.get("X-More") !== "yes";
      complete = true;
      adopt(rows);
      log.onCaughtUp();
    }
    following = true;
    missed = 0;
    showNewest();
    toEnd();
  }

  box.addEventListener(
    "scroll",
    () => {
      const left = box.scrollHeight - box.scrollTop - box.clientHeight;
      following = complete && left < END;
      if (following) missed = 0;
      showNewest();
      if (box.scrollTop < NEAR && !older.hidden && first && !following) load("older");
      if (left < NEAR && !complete) load("newer");
    },
    { passive: true },
  );
  older.addEventListener("click", () => load("older"));
  newest.addEventListener("click", toNewest);
  // Rows get their true height when they come into view; the end stays in view meanwhile.
  new ResizeObserver(() => following && toEnd()).observe(rows);
  new ResizeObserver(() => following && toEnd()).observe(box);
  adopt(rows);
  toEnd();
  return log;
}
