// Comments on lines of the diff and on files. They are drafts until they are sent to the agent together.
import { make, makeButton } from "../aitask/dom.js";
import { forget, restore, storedAs } from "../aitask/drafts.js";
import { post, send } from "../aitask/send.js";
import { draw, fileOf, filesOf, hasFiles, isBusy } from "./attach.js";

const FILE = 0; // The “line” of a comment on a whole file.

// `list` returns the current list of files, or null.
export function openComments(root, list) {
  const comments = new Comments(root, list);
  comments.listen();
  return comments;
}

class Comments {
  constructor(root, list) {
    this.root = root;
    this.list = list;
    this.dialog = document.getElementById("request-changes");
    this.anchor = null; // The line that was clicked last.
  }

  get all() {
    return this.list()?.comments ?? [];
  }

  listen() {
    this.root.addEventListener("click", (event) => {
      const number = event.target.closest("button[data-line]");
      if (number) this.select(number, event.shiftKey);
    });
    this.dialog.addEventListener("attached", () => this.count());
  }

  // A click selects a line, Shift-click a range from the line that was clicked before.
  select(button, extend) {
    const box = button.closest(".file");
    const here = { box, side: button.dataset.side, line: Number(button.dataset.line) };
    const { anchor } = this;
    const isRange = extend && anchor && anchor.box === box && anchor.side === here.side;
    if (!isRange) this.anchor = here;
    const lines = [here.line, isRange ? anchor.line : here.line];
    this.openForm(box, { side: here.side, line: Math.min(...lines), end: Math.max(...lines) });
  }

  selectFile(box) {
    box.querySelector("details").open = true;
    this.openForm(box, { side: "new", line: FILE, end: FILE });
  }

  // Forms that hold words stay open beside a new one.
  openForm(box, place) {
    for (const other of box.querySelectorAll(".commentform")) if (isEmpty(other)) close(other);
    const form = this.addForm(box, place);
    if (!form) return;
    form.elements.text.focus();
    form.scrollIntoView({ block: "nearest" });
  }

  // Return the form for a place, with the words that were left in it.
  addForm(box, place) {
    const draft = `${this.prefixOf(box)}${place.side}:${place.line}-${place.end}`;
    const open = [...box.querySelectorAll(".commentform")].find((each) => each.dataset.draft === draft);
    if (open) return open;
    const form = makeForm(draft, place);
    const row = rowOf(box, place.side, place.end);
    if (row) addFullRow(row).append(form);
    else box.querySelector(".filebody").prepend(form);
    restore(form);
    draw(filesPart(form));
    this.listenTo(form, box, place);
    return form;
  }

  prefixOf(box) {
    return `${this.root.dataset.comments}:${box.dataset.key}:`;
  }

  // Open the forms that had words when the page was left.
  restoreForms(box) {
    const prefix = this.prefixOf(box);
    for (const draft of storedAs(prefix)) {
      const [, side, line, end] = draft.slice(prefix.length).match(/^(old|new):(\d+)-(\d+)$/) ?? [];
      if (side) this.addForm(box, { side, line: Number(line), end: Number(end) });
    }
  }

  listenTo(form, box, place) {
    const leave = () => {
      close(form);
      numberOf(box, place.side, place.end)?.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save(form, box, place);
    });
    form.querySelector("[data-cancel]").addEventListener("click", leave);
    form.elements.text.addEventListener("keydown", (event) => {
      const submits = event.key === "Enter" && (event.ctrlKey || event.metaKey);
      if (!submits && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      if (submits) form.requestSubmit();
      else if (!isEmpty(form)) form.elements.text.blur();
      else leave();
    });
  }

  async save(form, box, { side, line, end }) {
    const [button] = form.querySelectorAll("[type=submit]");
    if (button.disabled) return;
    const count = line === FILE ? 0 : end - line + 1;
    const lines = Array.from({ length: count }, (_, at) => textOf(box, side, line + at));
    const { commit, old_commit } = this.list();
    const values = {
      key: box.dataset.key,
      side,
      line,
      end_line: end,
      commit: side === "old" ? old_commit : commit,
      quote: lines.join("\n"),
      text: form.elements.text.value,
      attachments: filesOf(filesPart(form)),
    };
    button.disabled = true;
    const saved = await post(this.root.dataset.comments, JSON.stringify(values));
    button.disabled = false;
    if (!saved) return;
    close(form);
    this.list().comments.push(saved);
    this.showIn(box);
    this.count();
    numberOf(box, side, end)?.focus({ preventScroll: true });
  }

  async delete(comment, box) {
    if (!(await send(this.root.dataset.delete.replace("/0/", `/${comment.id}/`)))) return;
    this.list().comments = this.all.filter((each) => each !== comment);
    this.showIn(box);
    this.count();
  }

  makeNote(comment, box) {
    const isDraft = comment.sent === null;
    const note = make("div", `comment${isDraft ? " draft" : ""}`);
    const head = note.appendChild(make("p", "small dim row"));
    head.append(make("b", "", comment.author), stateOf(comment));
    if (comment.line && !rowOf(box, comment.side, comment.end_line)) head.append(placeOf(comment));
    if (comment.outdated) head.append(make("span", "badge needs", "outdated"));
    if (comment.outdated && comment.quote) note.append(make("pre", "quote small", comment.quote));
    if (comment.text) note.append(make("p", "text", comment.text));
    if (comment.attachments.length)
      note.appendChild(make("ul", "attached-files")).append(...comment.attachments.map(fileOf));
    if (isDraft) {
      const button = makeButton("button quiet tiny", "Delete", () => this.delete(comment, box));
      head.append(make("span", "grow"), button);
    }
    return note;
  }

  // Show the comments of one file: below their lines, or above the diff if their lines are not shown.
  showIn(box) {
    for (const old of box.querySelectorAll(".commentrow:not(:has(.commentform)), .filecomments")) old.remove();
    const detached = [];
    for (const comment of this.all.filter((each) => each.key === box.dataset.key)) {
      const row = comment.line && rowOf(box, comment.side, comment.end_line);
      if (row) addFullRow(row).appendChild(make("div")).append(this.makeNote(comment, box));
      else detached.push(this.makeNote(comment, box));
    }
    this.restoreForms(box);
    if (!detached.length) return;
    const place = make("div", "filecomments");
    place.append(...detached);
    box.querySelector(".filebody").prepend(place);
  }

  show() {
    const keys = new Set(this.all.map((comment) => comment.key));
    for (const box of this.root.querySelectorAll(".file")) if (keys.has(box.dataset.key)) this.showIn(box);
    this.count();
  }

  // The verdict bar and its dialog tell how many comments are not sent yet.
  count() {
    const drafts = this.all.filter((comment) => comment.sent === null).length;
    for (const place of document.querySelectorAll("[data-drafts]")) place.textContent = drafts || "";
    const note = this.dialog.querySelector("[data-with-comments]");
    note.textContent = `Sent together with your ${drafts === 1 ? "comment" : `${drafts} comments`}.`;
    note.hidden = !drafts;
    const text = this.dialog.querySelector("textarea");
    text.required = !drafts && !hasFiles(filesPart(this.dialog));
    text.placeholder = drafts ? "Anything else? (optional)" : "";
  }
}

function makeForm(draft, { line, end }) {
  const form = make("form", "commentform");
  form.dataset.draft = draft; // Kept across a reload.
  const label = make("label", "small dim", placeOf({ line, end_line: end }));
  const text = Object.assign(make("textarea"), {
    id: `comment-${draft}`,
    name: "text",
    rows: 3,
    required: true,
    placeholder: line
      ? "Leave a comment. Shift-click another line number to select several lines."
      : "Leave a comment.",
  });
  label.htmlFor = text.id;
  const actions = make("div", "row");
  const add = Object.assign(make("button", "button primary tiny", "Add comment"), { type: "submit" });
  add.append(make("kbd", "", "Ctrl Enter"));
  const cancel = Object.assign(make("button", "button quiet tiny", "Cancel"), { type: "button" });
  cancel.dataset.cancel = "";
  actions.append(add, cancel);
  form.append(label, text, document.getElementById("files-of-comment").content.cloneNode(true), actions);
  form.addEventListener("attached", () => {
    text.required = !hasFiles(filesPart(form));
  });
  return form;
}

const filesPart = (form) => form.querySelector("[data-attach]");

function isEmpty(form) {
  const part = filesPart(form);
  return !form.elements.text.value && !hasFiles(part) && !isBusy(part);
}

function close(form) {
  forget(form);
  (form.closest("tr") ?? form).remove();
}

function placeOf({ line, end_line: end }) {
  if (line === FILE) return "On this file";
  return line === end ? `On line ${line}` : `On lines ${line} to ${end}`;
}

function stateOf({ sent }) {
  if (sent === null) return "draft";
  return sent ? `sent with run ${sent}` : "sent";
}

const numberOf = (box, side, line) => box.querySelector(`button[data-side="${side}"][data-line="${line}"]`);

const rowOf = (box, side, line) => numberOf(box, side, line)?.closest("tr");

// The text of a line. The server truncates very long lines, so the quote is truncated, too.
function textOf(box, side, line) {
  let code = numberOf(box, side, line)?.closest("td").nextElementSibling;
  while (code && !code.classList.contains("code")) code = code.nextElementSibling;
  return code?.querySelector("code")?.textContent ?? "";
}

function addFullRow(row) {
  const added = make("tr", "commentrow");
  const cell = added.appendChild(make("td"));
  cell.colSpan = 4;
  row.after(added);
  return cell;
}
