// The differences of a task: a list of files, each filled in when it comes into view.
import { make } from "../aitask/dom.js";
import { onKeys } from "../aitask/keys.js";
import { openComments } from "./review-comments.js";
import { figures, makeFile } from "./review-files.js";
import { addRows } from "./review-rows.js";
import { buildTree } from "./review-tree.js";

const LIVE_PAUSE = 4000; // Milliseconds between two looks at what a working agent has changed.
const READING_LINE = 120; // Pixels from the top at which the file that is read begins.

class Review {
  constructor(root) {
    this.root = root;
    this.files = root.querySelector("[data-files]");
    this.tree = root.querySelector("[data-tree]");
    this.status = root.querySelector("[data-status]");
    this.range = root.querySelector("[data-range]");
    this.settings = {
      split: recall("split"),
      space: recall("space"),
      tree: recall("tree", root.classList.contains("wide") && matchMedia("(min-width: 700px)").matches),
    };
    this.list = null;
    this.loading = null;
    this.chosen = ""; // Which comparison the user has chosen; before that the host says which there is something in.
    this.later = 0;
    this.comments = openComments(root, () => this.list);
    this.seen = new IntersectionObserver((entries) => this.fillSeen(entries), { rootMargin: "600px" });
  }

  listen() {
    for (const button of this.root.querySelectorAll("[data-toggle]")) {
      button.ariaPressed = String(this.settings[button.dataset.toggle]);
      button.addEventListener("click", () => this.toggle(button));
    }
    this.range.addEventListener("change", () => {
      this.chosen = this.range.value;
      this.load();
    });
    document.addEventListener("changed", () => this.root.hidden || this.load({ keep: this.isWriting }));
    document.addEventListener("stands", ({ detail }) => this.runChanged(detail));
    document.addEventListener("worked", () => this.lookSoon());
    if (this.root.classList.contains("wide")) this.listenToKeys();
  }

  listenToKeys() {
    onKeys({
      n: () => this.step(1),
      p: () => this.step(-1),
      v: () => this.files.children[this.placeOfReader()]?.querySelector(".viewed input").click(),
    });
  }

  get isWriting() {
    return this.root.querySelector(".commentform") !== null;
  }

  get isCalm() {
    return !this.root.hidden && !this.isWriting;
  }

  // A run has begun or ended; who writes a comment is not disturbed.
  runChanged({ branch }) {
    if (branch) this.root.hidden = false;
    if (this.isCalm) this.load();
  }

  // The agent has done something: look again soon at what is not committed.
  lookSoon() {
    const { later, list } = this;
    if (later || !list?.live || (list.range !== "work" && list.count)) return;
    this.later = setTimeout(() => this.lookAgain(), LIVE_PAUSE);
  }

  lookAgain() {
    this.later = 0;
    if (this.isCalm && !document.hidden) this.load({ keep: true });
  }

  toggle(button) {
    const name = button.dataset.toggle;
    this.settings[name] = !this.settings[name];
    button.ariaPressed = String(this.settings[name]);
    localStorage.setItem(`diff:${name}`, this.settings[name] ? "yes" : "");
    if (name === "tree") this.tree.hidden = !this.settings.tree;
    else if (name === "space") this.load();
    else this.show();
  }

  async load({ keep = false } = {}) {
    this.loading?.abort();
    this.loading = new AbortController();
    const query = new URLSearchParams({ range: this.chosen, space: this.settings.space ? "1" : "" });
    try {
      const response = await fetch(`${this.root.dataset.list}?${query}`, { signal: this.loading.signal });
      const answer = await response.json();
      if (response.status === 409) this.clear();
      if (!response.ok) return this.say(`${answer.error} ${answer.hint ?? ""}`);
      this.list = answer;
      this.show({ keep });
    } catch (error) {
      if (error.name !== "AbortError") this.say("The differences could not be read.");
    }
  }

  clear() {
    this.list = null;
    this.seen.disconnect();
    this.files.replaceChildren();
    this.tree.replaceChildren();
    this.root.querySelector("[data-totals]").replaceChildren();
  }

  say(text) {
    this.status.textContent = text;
    this.status.hidden = !text;
  }

  // `keep` leaves files that are as they were alone, so that nobody loses the line that they read.
  show({ keep = false } = {}) {
    if (!this.list) return;
    this.showRanges();
    this.showTotals();
    this.showFiles(keep);
    this.tree.hidden = !this.settings.tree;
    this.tree.replaceChildren(buildTree(this.list.files, goTo));
    this.say(this.list.nothing);
    this.comments.show();
    for (const box of this.files.children) this.seen.observe(box);
  }

  showRanges() {
    const { ranges, commits, range } = this.list;
    const group = Object.assign(make("optgroup"), { label: "Commits" });
    group.append(...commits.map(commitOption));
    this.range.replaceChildren(
      ...ranges.map(({ label, name }) => new Option(label, name)),
      ...(commits.length ? [group] : []),
    );
    this.range.value = range;
  }

  showTotals() {
    const { count, additions, deletions } = this.list;
    const totals = count ? [`${count} file${count === 1 ? "" : "s"} `, ...figures(additions, deletions)] : [];
    this.root.querySelector("[data-totals]").replaceChildren(...totals);
  }

  showFiles(keep) {
    const boxes = new Map([...this.files.children].map((box) => [box.dataset.key + box.dataset.version, box]));
    this.seen.disconnect();
    this.files.replaceChildren(
      ...this.list.files.map((file) => {
        const old = boxes.get(file.key + file.version);
        return (keep && old) || this.makeFile(file, old?.querySelector("details").open);
      }),
    );
  }

  makeFile(file, open) {
    return makeFile(file, open ?? !file.viewed, {
      viewedAddress: this.root.dataset.viewed,
      opened: (box) => this.watch(box),
      wanted: (box) => this.fill(box),
    });
  }

  // Have the observer say anew whether it is near: asking for its place here would lay out the page for each of
  // thousands.
  watch(box) {
    if (!box.dataset.waits) return;
    this.seen.unobserve(box);
    this.seen.observe(box);
  }

  fillSeen(entries) {
    for (const entry of entries) if (entry.isIntersecting) this.fill(entry.target);
  }

  async fill(box) {
    if (!box.dataset.waits || !box.querySelector("details").open) return;
    delete box.dataset.waits;
    this.seen.unobserve(box);
    const file = this.list.files.find((each) => each.key === box.dataset.key);
    const wait = box.querySelector(".filebody").appendChild(make("p", "small dim", "…"));
    await this.addRows(box, file, 0);
    wait.remove();
  }

  async addRows(box, file, from) {
    const { list, settings, root } = this;
    const question = { address: root.dataset.file, range: list.range, settings, from };
    await addRows(box, file, question, (next) => this.addRows(box, file, next));
    this.comments.showIn(box);
  }

  placeOfReader() {
    return [...this.files.children].findIndex((box) => box.getBoundingClientRect().bottom > READING_LINE);
  }

  step(by) {
    const boxes = this.files.children;
    const next = Math.max(0, Math.min(boxes.length - 1, this.placeOfReader() + by));
    boxes[next]?.scrollIntoView({ block: "start" });
  }
}

const commitOption = ({ sha, subject }) => new Option(`${sha.slice(0, 8)} ${subject}`.slice(0, 80), `commit:${sha}`);

function goTo(file) {
  const box = document.getElementById(`file-${file.key}`);
  box.querySelector("details").open = true;
  box.scrollIntoView({ block: "start" });
  box.querySelector("summary").focus({ preventScroll: true });
}

function recall(name, preset = false) {
  const kept = localStorage.getItem(`diff:${name}`);
  return kept === null ? preset : kept === "yes";
}

const root = document.getElementById("diff");
if (root) {
  const review = new Review(root);
  review.listen();
  if (!root.hidden) review.load();
}
