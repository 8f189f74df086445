// The differences of a task: a list of files, each filled in when it comes into view.
import { onKeys } from "../aitask/keys.js";
import { openComments } from "./review-comments.js";
import { make, post } from "./review-dom.js";
import { buildTree } from "./review-tree.js";

const root = document.getElementById("diff");
const AUTO_LINES = 1000;
const LIVE_PAUSE = 4000; // Milliseconds between two looks at what a working agent has changed.
const STATUS = { A: "added", D: "deleted", M: "changed", R: "renamed", C: "copied", T: "kind changed" };
const NOTES = {
  binary: "A binary file: nothing to show line by line.",
  empty: "Only its name or its rights changed.",
  nothing: "An empty file.",
  submodule: "A submodule points to another commit.",
};

if (root) start();

function start() {
  const settings = {
    split: recall("split"),
    space: recall("space"),
    tree: recall("tree", root.classList.contains("wide") && matchMedia("(min-width: 700px)").matches),
  };
  const place = {
    files: root.querySelector("[data-files]"),
    tree: root.querySelector("[data-tree]"),
    status: root.querySelector("[data-status]"),
    range: root.querySelector("[data-range]"),
  };
  let list = null;
  let loading = null;
  let chosen = ""; // Which comparison the person has chosen; before that the host says which there is something in.
  let later = 0;
  const comments = openComments(root, () => list);
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) fill(entry.target);
    },
    { rootMargin: "600px" },
  );

  for (const button of root.querySelectorAll("[data-toggle]")) {
    button.ariaPressed = String(settings[button.dataset.toggle]);
    button.addEventListener("click", () => toggle(button));
  }
  place.range.addEventListener("change", () => {
    chosen = place.range.value;
    load();
  });
  document.addEventListener("changed", () => root.hidden || load());
  document.addEventListener("stands", ({ detail }) => {
    // A run has begun or ended; who writes a comment is not disturbed.
    if (detail.branch) root.hidden = false;
    if (isCalm()) load();
  });
  document.addEventListener("worked", () => {
    // The agent has done something: look again soon at what is not committed.
    if (!later && list?.live && (list.range === "work" || !list.count)) later = setTimeout(lookAgain, LIVE_PAUSE);
  });

  const isCalm = () => !root.hidden && !root.querySelector(".commentform");

  function lookAgain() {
    later = 0;
    if (isCalm() && !document.hidden) load({ keep: true });
  }

  function toggle(button) {
    const name = button.dataset.toggle;
    settings[name] = !settings[name];
    button.ariaPressed = String(settings[name]);
    localStorage.setItem(`diff:${name}`, settings[name] ? "yes" : "");
    if (name === "tree") place.tree.hidden = !settings.tree;
    else if (name === "space") load();
    else show();
  }

  async function load({ keep = false } = {}) {
    loading?.abort();
    loading = new AbortController();
    const query = new URLSearchParams({ range: chosen, space: settings.space ? "1" : "" });
    try {
      const response = await fetch(`${root.dataset.list}?${query}`, { signal: loading.signal });
      const answer = await response.json();
      if (response.status === 409) clear();
      if (!response.ok) return say(`${answer.error} ${answer.hint ?? ""}`);
      list = answer;
      show({ keep });
    } catch (error) {
      if (error.name !== "AbortError") say("The differences could not be read.");
    }
  }

  function clear() {
    list = null;
    seen.disconnect();
    place.files.replaceChildren();
    place.tree.replaceChildren();
    root.querySelector("[data-totals]").replaceChildren();
  }

  function say(text) {
    place.status.textContent = text;
    place.status.hidden = !text;
  }

  // `keep` leaves files that are as they were alone, so that nobody loses the line that they read.
  function show({ keep = false } = {}) {
    if (!list) return;
    showRanges();
    showTotals();
    const boxes = new Map([...place.files.children].map((box) => [box.dataset.key + box.dataset.version, box]));
    seen.disconnect();
    place.files.replaceChildren(
      ...list.files.map((file) => {
        const old = boxes.get(file.key + file.version);
        return (keep && old) || section(file, old?.querySelector("details").open);
      }),
    );
    place.tree.hidden = !settings.tree;
    place.tree.replaceChildren(buildTree(list.files, goTo));
    say(list.nothing);
    comments.show();
    for (const box of place.files.children) seen.observe(box);
  }

  function showRanges() {
    const options = list.ranges.map((range) => new Option(range.label, range.name));
    const commits = document.createElement("optgroup");
    commits.label = "Commits";
    commits.append(
      ...list.commits.map(
        (commit) => new Option(`${commit.sha.slice(0, 8)} ${commit.subject}`.slice(0, 80), `commit:${commit.sha}`),
      ),
    );
    place.range.replaceChildren(...options, ...(list.commits.length ? [commits] : []));
    place.range.value = list.range;
  }

  function showTotals() {
    const box = root.querySelector("[data-totals]");
    if (!list.count) return box.replaceChildren();
    box.replaceChildren(
      `${list.count} file${list.count === 1 ? "" : "s"} `,
      ...figures(list.additions, list.deletions),
    );
  }

  function section(file, open) {
    const box = make("section", "file");
    Object.assign(box.dataset, { key: file.key, version: file.version });
    box.id = `file-${file.key}`;
    const details = box.appendChild(make("details"));
    details.open = open ?? !file.viewed;
    const head = details.appendChild(make("summary", "filehead"));
    head.append(
      make("span", `status ${file.status}`, file.status),
      path(file),
      make("span", "grow"),
      ...(file.additions === null ? [make("span", "dim small", "binary")] : figures(file.additions, file.deletions)),
    );
    box.append(viewedBox(file, details));
    const body = details.appendChild(make("div", "filebody"));
    if (file.mode) body.append(make("p", "small dim", `Rights: ${file.mode}`));
    const size = (file.additions ?? 0) + (file.deletions ?? 0);
    if (size > AUTO_LINES) body.append(bigButton(size, box));
    else box.dataset.waits = "yes";
    let wasOpen = details.open; // Opening thousands of them in the beginning is told as well.
    details.addEventListener("toggle", () => {
      if (details.open && !wasOpen) watch(box);
      wasOpen = details.open;
    });
    return box;
  }

  // Have the observer say anew whether it is near: asking for its place here would lay out the page for each of thousands.
  function watch(box) {
    if (!box.dataset.waits) return;
    seen.unobserve(box);
    seen.observe(box);
  }

  function path(file) {
    const words = make("span", "path cut cut-start");
    words.title = `${file.path}, ${STATUS[file.status] ?? file.status}`;
    const slash = file.path.lastIndexOf("/") + 1;
    const text = words.appendChild(Object.assign(make("bdi"), { dir: "ltr" }));
    text.append(
      ...(file.old_path ? [make("span", "dim", `${file.old_path} → `)] : []),
      make("span", "dim", file.path.slice(0, slash)),
      make("b", "", file.path.slice(slash)),
    );
    return words;
  }

  function viewedBox(file, details) {
    const label = make("label", "viewed small");
    const box = label.appendChild(Object.assign(make("input"), { type: "checkbox", checked: file.viewed }));
    label.append("Viewed");
    box.addEventListener("change", () => {
      file.viewed = box.checked;
      details.open = !box.checked;
      post(
        root.dataset.viewed,
        new URLSearchParams({ key: file.key, version: file.version, viewed: box.checked ? "yes" : "" }),
        { keepalive: true },
      );
    });
    return label;
  }

  function bigButton(size, box) {
    const button = make("button", "button tiny", `Show ${size.toLocaleString()} lines`);
    button.type = "button";
    button.addEventListener("click", () => {
      button.remove();
      box.dataset.waits = "yes";
      fill(box);
    });
    return button;
  }

  async function fill(box) {
    if (!box.dataset.waits || !box.querySelector("details").open) return;
    delete box.dataset.waits;
    seen.unobserve(box);
    const file = list.files.find((each) => each.key === box.dataset.key);
    const body = box.querySelector(".filebody");
    const wait = body.appendChild(make("p", "small dim", "…"));
    await rows(file, body, 0);
    wait.remove();
    comments.showIn(box);
  }

  async function rows(file, body, from) {
    const query = new URLSearchParams({
      range: list.range,
      key: file.key,
      old: file.old_key,
      split: settings.split ? "1" : "",
      space: settings.space ? "1" : "",
      from,
    });
    const response = await fetch(`${root.dataset.file}?${query}`);
    if (!response.ok) return body.append(make("p", "small bad", (await response.text()).slice(0, 300)));
    const kind = response.headers.get("X-Note");
    if (kind)
      return body.append(
        make("p", "small dim", NOTES[kind === "empty" && "AD".includes(file.status) ? "nothing" : kind] ?? kind),
      );
    table(body, file).insertAdjacentHTML("beforeend", await response.text());
    const next = response.headers.get("X-Next");
    if (next) more(file, body, next);
    else if (response.headers.get("X-Cut"))
      body.append(make("p", "small needs", "The rest is not shown: the difference of this file is larger than 4 MB."));
  }

  function table(body, file) {
    const known = body.querySelector("tbody");
    if (known) return known;
    const frame = body.appendChild(make("div", "lines"));
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", `Lines of ${file.path}`);
    const made = frame.appendChild(make("table", settings.split ? "split" : "unified"));
    if (settings.split) made.append(columns());
    return made.appendChild(make("tbody"));
  }

  function columns() {
    const group = make("colgroup");
    group.append(make("col", "num"), make("col"), make("col", "num"), make("col"));
    return group;
  }

  function more(file, body, next) {
    const button = make("button", "button tiny", "Show more lines");
    button.type = "button";
    body.append(button);
    button.addEventListener("click", async () => {
      button.remove();
      await rows(file, body, next);
      comments.showIn(body.closest(".file"));
    });
  }

  function goTo(file) {
    const box = document.getElementById(`file-${file.key}`);
    box.querySelector("details").open = true;
    box.scrollIntoView({ block: "start" });
    box.querySelector("summary").focus({ preventScroll: true });
  }

  function step(by) {
    const boxes = [...place.files.children];
    const at = boxes.findIndex((box) => box.getBoundingClientRect().bottom > 120);
    boxes[Math.max(0, Math.min(boxes.length - 1, at + by))]?.scrollIntoView({ block: "start" });
  }

  if (root.classList.contains("wide")) {
    onKeys({
      n: () => step(1),
      p: () => step(-1),
      v: () =>
        [...place.files.children]
          .find((box) => box.getBoundingClientRect().bottom > 120)
          ?.querySelector(".viewed input")
          .click(),
    });
  }
  if (!root.hidden) load();
}

function recall(name, preset = false) {
  const kept = localStorage.getItem(`diff:${name}`);
  return kept === null ? preset : kept === "yes";
}

function figures(added, deleted) {
  return [
    make("span", "plus num small", `+${added.toLocaleString()}`),
    " ",
    make("span", "minus num small", `−${deleted.toLocaleString()}`),
  ];
}
