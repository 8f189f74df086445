// The diff of a task: a list of files. The lines of a file are loaded when it is about to become visible.
import { make } from "../aitask/dom.js";
import { onKeys } from "../aitask/keys.js";
import { openComments } from "./review-comments.js";
import { figures, makeFile } from "./review-files.js";
import { focusFirstLine, isLine, listenToLines, showMore } from "./review-lines.js";
import { FileParts } from "./review-parts.js";
import { addRows, queryOf } from "./review-rows.js";
import { buildTree } from "./review-tree.js";
import { forgetWords } from "./review-words.js";

const LIVE_INTERVAL = 4000; // Milliseconds between reloads while an agent works.
const TOP = 24; // The current file is the first that reaches this far below the bar above the files, in pixels.

class Review {
  constructor(root) {
    this.root = root;
    this.files = root.querySelector("[data-files]");
    this.tree = root.querySelector("[data-tree]");
    this.status = root.querySelector("[data-status]");
    this.range = root.querySelector("[data-range]");
    this.settings = {
      split: loadSetting("split"),
      space: loadSetting("space"),
      tree: loadSetting("tree", root.classList.contains("wide") && matchMedia("(min-width: 700px)").matches),
    };
    this.list = null;
    this.parts = new FileParts([]);
    this.loading = null;
    // The comparison that the user or a link has selected. Until then the server decides.
    this.selected = new URLSearchParams(location.search).get("range") ?? "";
    this.linked = location.hash;
    this.timer = 0;
    this.comments = openComments(root, () => this.list);
    this.observer = new IntersectionObserver((entries) => this.fillVisible(entries), { rootMargin: "600px" });
  }

  listen() {
    for (const button of this.root.querySelectorAll("[data-toggle]")) {
      button.ariaPressed = String(this.settings[button.dataset.toggle]);
      button.addEventListener("click", () => this.toggle(button));
    }
    this.range.addEventListener("change", () => {
      this.selected = this.range.value;
      this.load();
    });
    document.addEventListener("changed", () => this.root.hidden || this.load({ keep: this.isWriting }));
    document.addEventListener("run-changed", ({ detail }) => this.runChanged(detail));
    document.addEventListener("events-added", () => this.reloadSoon());
    this.root.addEventListener("click", (event) => {
      const more = event.target.closest("[data-more]");
      if (more) this.showMore(more);
    });
    listenToLines(this.root);
    this.listenToKeys();
  }

  listenToKeys() {
    onKeys({
      n: () => this.step(1),
      p: () => this.step(-1),
      v: () => this.current?.querySelector(".viewed input").click(),
      c: () => this.comment(),
      C: () => this.here && this.comments.selectFile(this.here),
    });
  }

  get isWriting() {
    return this.root.querySelector(".commentform") !== null;
  }

  get mayReload() {
    return !this.root.hidden && !this.isWriting;
  }

  // A run has started or ended. Don't reload while the user writes a comment.
  runChanged({ branch }) {
    if (branch) this.root.hidden = false;
    if (this.mayReload) this.load();
  }

  // The agent has done something: reload the uncommitted changes soon.
  reloadSoon() {
    const { timer, list } = this;
    if (timer || !list?.live || (list.range !== "work" && list.count)) return;
    this.timer = setTimeout(() => this.reload(), LIVE_INTERVAL);
  }

  reload() {
    this.timer = 0;
    if (this.mayReload && !document.hidden) this.load({ keep: true });
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
    const query = new URLSearchParams({ range: this.selected, space: this.settings.space ? "1" : "" });
    try {
      const response = await fetch(`${this.root.dataset.list}?${query}`, { signal: this.loading.signal });
      const data = await response.json();
      if (response.status === 409) this.clear();
      if (!response.ok) return this.showStatus(`${data.error} ${data.hint ?? ""}`);
      this.list = data;
      document.getElementById("seen-commit").value = data.tip;
      this.show({ keep });
      this.goToLinked();
    } catch (error) {
      if (error.name !== "AbortError") this.showStatus("The diff could not be loaded. Reload the page.");
    }
  }

  clear() {
    this.list = null;
    this.observer.disconnect();
    this.files.replaceChildren();
    this.tree.replaceChildren();
    this.root.querySelector("[data-totals]").replaceChildren();
  }

  showStatus(text) {
    this.status.textContent = text;
    this.status.hidden = !text;
  }

  // With `keep`, elements of unchanged files are reused, so that the scroll position does not change.
  show({ keep = false } = {}) {
    if (!this.list) return;
    this.showRanges();
    this.showTotals();
    this.showFiles(keep);
    this.tree.hidden = !this.settings.tree;
    this.tree.replaceChildren(buildTree(this.list.files, (file) => this.goTo(file)));
    this.showStatus(this.list.nothing);
    this.comments.show();
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
    const { files } = this.list;
    const boxes = new Map([...this.boxes].map((box) => [box.dataset.key + box.dataset.version, box]));
    this.observer.disconnect();
    this.parts = new FileParts(files, (file) => {
      const old = boxes.get(file.key + file.version);
      const box = (keep && old) || this.makeFile(file, old?.querySelector("details").open);
      this.observer.observe(box);
      return box;
    });
    this.files.replaceChildren(...this.parts.elements);
    forgetWords();
    for (const file of files) if (keep && boxes.has(file.key + file.version)) this.parts.fillFor(file);
    for (const part of this.parts.elements) this.observer.observe(part);
  }

  // The files that are in the page; the others are added when they are about to become visible.
  get boxes() {
    return this.files.querySelectorAll(".file");
  }

  makeFile(file, open) {
    return makeFile(file, open ?? !(file.viewed || file.folded), {
      viewedAddress: this.root.dataset.viewed,
      opened: (box) => this.watch(box),
      wanted: (box) => this.fill(box),
      comment: (box) => this.comments.selectFile(box),
    });
  }

  // Observe the file again, so that the observer reports whether it is near. Reading its position here would cause a
  // layout for each of possibly thousands of files.
  watch(box) {
    if (!box.dataset.waits) return;
    this.observer.unobserve(box);
    this.observer.observe(box);
  }

  fillVisible(entries) {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && !this.parts.fill(target)) this.fill(target);
    }
  }

  async fill(box) {
    if (!box.dataset.waits || !box.querySelector("details").open) return;
    delete box.dataset.waits;
    this.observer.unobserve(box);
    const file = this.fileOf(box);
    const placeholder = box.querySelector(".filebody").appendChild(make("p", "small dim", "…"));
    await this.addRows(box, file, 0);
    placeholder.remove();
  }

  async addRows(box, file, from) {
    const { list, settings, root } = this;
    const request = { address: root.dataset.file, range: list.range, settings, from };
    await addRows(box, file, request, (next) => this.addRows(box, file, next));
    this.comments.showIn(box);
  }

  get top() {
    return this.root.querySelector(".difftools").getBoundingClientRect().bottom;
  }

  // The first file below the bar.
  get current() {
    const top = this.top + TOP;
    return [...this.boxes].find((box) => box.getBoundingClientRect().bottom > top);
  }

  // The file that has the focus, or else the current one.
  get here() {
    return document.activeElement.closest?.(".file") ?? this.current;
  }

  // Comment on the line that has the focus, or else go to the first visible line.
  comment() {
    const { activeElement } = document;
    if (isLine(activeElement)) return activeElement.click();
    const boxes = [...this.boxes];
    const withLines = boxes.slice(boxes.indexOf(this.here)).find((box) => box.querySelector("details[open] .lines"));
    if (withLines) focusFirstLine(withLines, this.top);
  }

  async showMore(button) {
    const box = button.closest(".file");
    const query = queryOf(this.fileOf(box), { range: this.list.range, settings: this.settings });
    await showMore(button, `${this.root.dataset.lines}?${query}`);
    this.comments.showIn(box);
  }

  fileOf(box) {
    return this.list.files.find((each) => each.key === box.dataset.key);
  }

  step(by) {
    const { files } = this.list;
    const at = files.findIndex((file) => file.key === this.current?.dataset.key);
    const next = files[Math.max(0, Math.min(files.length - 1, at + by))];
    if (next) this.parts.fillFor(next).scrollIntoView({ block: "start" });
  }

  // Once: go to the file that the page's address names.
  goToLinked() {
    const linked = this.list.files.find(({ key }) => `#file-${key}` === this.linked);
    this.linked = "";
    if (linked) this.goTo(linked);
  }

  goTo(file) {
    const box = this.parts.fillFor(file);
    box.querySelector("details").open = true;
    box.scrollIntoView({ block: "start" });
    box.querySelector("summary").focus({ preventScroll: true });
  }
}

const commitOption = ({ sha, subject }) => new Option(`${sha.slice(0, 8)} ${subject}`.slice(0, 80), `commit:${sha}`);

function loadSetting(name, fallback = false) {
  const stored = localStorage.getItem(`diff:${name}`);
  return stored === null ? fallback : stored === "yes";
}

const root = document.getElementById("diff");
if (root) {
  const review = new Review(root);
  review.listen();
  if (!root.hidden) review.load();
}
