// Comments on lines: written as drafts beside the code, sent together.
import { toast } from "../aitask/toasts.js";
import { make, post } from "./review-dom.js";

export function openComments(root, list) {
  const bar = root.querySelector("[data-sendbar]");
  let from = null;

  root.addEventListener("click", (event) => {
    const number = event.target.closest("button[data-line]");
    if (number) choose(number, event.shiftKey);
  });
  bar.addEventListener("submit", async (event) => {
    event.preventDefault();
    const response = await post(root.dataset.send, new URLSearchParams(new FormData(bar)));
    if (response.ok) bar.reset();
  });

  function choose(button, extend) {
    const box = button.closest(".file");
    const here = { box, side: button.dataset.side, line: Number(button.dataset.line) };
    const same = extend && from && from.box === box && from.side === here.side;
    const start = same ? Math.min(from.line, here.line) : here.line;
    const end = same ? Math.max(from.line, here.line) : here.line;
    if (!same) from = here;
    write(box, here.side, start, end);
  }

  function rowOf(box, side, line) {
    return box.querySelector(`button[data-side="${side}"][data-line="${line}"]`)?.closest("tr");
  }

  // The text of a line as the server sent it; a line that was cut there can't be quoted whole.
  function textOf(box, side, line) {
    const cell = box.querySelector(`button[data-side="${side}"][data-line="${line}"]`)?.closest("td");
    let code = cell?.nextElementSibling;
    while (code && !code.classList.contains("code")) code = code.nextElementSibling;
    return code?.querySelector("code")?.textContent ?? "";
  }

  function write(box, side, line, end) {
    box.querySelector(".commentform")?.remove();
    const row = rowOf(box, side, end);
    if (!row) return;
    const lines = Array.from({ length: end - line + 1 }, (_, at) => textOf(box, side, line + at));
    const form = full(row, "commentform");
    const label = form.appendChild(
      make("label", "small dim", line === end ? `On line ${line}` : `On lines ${line} to ${end}`),
    );
    const text = form.appendChild(
      Object.assign(make("textarea"), {
        rows: 3,
        required: true,
        placeholder: "What should be different? (Shift-click another number for several lines)",
      }),
    );
    text.id = `comment-${box.dataset.key}-${line}`;
    label.htmlFor = text.id;
    const verbs = form.appendChild(make("div", "row"));
    const keep = verbs.appendChild(
      Object.assign(make("button", "button primary tiny", "Add comment"), { type: "button" }),
    );
    verbs
      .appendChild(Object.assign(make("button", "button quiet tiny", "Cancel"), { type: "button" }))
      .addEventListener("click", () => form.closest("tr").remove());
    const save = async () => {
      const commit = side === "old" ? list().old_commit : list().commit;
      const body = JSON.stringify({
        key: box.dataset.key,
        side,
        line,
        end_line: end,
        commit,
        quote: lines.join("\n"),
        text: text.value,
      });
      const response = await post(root.dataset.comments, body);
      const answer = await response.json();
      if (!response.ok) return toast({ text: answer.error, hint: answer.hint, kind: "failed" });
      list().comments.push(answer);
      form.closest("tr").remove();
      showIn(box);
      count();
    };
    keep.addEventListener("click", save);
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
      if (event.key === "Escape") {
        event.stopPropagation();
        form.closest("tr").remove();
      }
    });
    text.focus();
  }

  function full(row, css) {
    const made = make("tr", "commentrow");
    const cell = made.appendChild(make("td"));
    cell.colSpan = 4;
    row.after(made);
    return cell.appendChild(make("div", css));
  }

  function note(comment) {
    const box = make("div", `comment${comment.sent === null ? " draft" : ""}`);
    const head = box.appendChild(make("p", "small dim row"));
    head.append(
      make("b", "", comment.author),
      comment.sent === null ? "draft" : comment.sent ? `sent with run ${comment.sent}` : "sent",
    );
    if (comment.outdated) head.append(make("span", "badge needs", "outdated"));
    if (comment.outdated && comment.quote) box.append(make("pre", "quote small", comment.quote));
    box.append(make("p", "words", comment.text));
    if (comment.sent === null) {
      const drop = Object.assign(make("button", "button quiet tiny", "Delete"), { type: "button" });
      drop.addEventListener("click", async () => {
        await post(root.dataset.delete.replace("/0/", `/${comment.id}/`), "");
        list().comments = list().comments.filter((each) => each !== comment);
        showIn(box.closest(".file"));
        count();
      });
      head.append(make("span", "grow"), drop);
    }
    return box;
  }

  function showIn(box) {
    for (const old of box.querySelectorAll(".commentrow:not(:has(.commentform)), .filecomments")) old.remove();
    const lost = [];
    for (const comment of (list()?.comments ?? []).filter((each) => each.key === box.dataset.key)) {
      const row = comment.line && rowOf(box, comment.side, comment.end_line);
      if (row) full(row, "").append(note(comment));
      else lost.push(note(comment));
    }
    if (lost.length) {
      const place = make("div", "filecomments");
      place.append(...lost);
      box.querySelector(".filebody").prepend(place);
    }
  }

  function count() {
    const drafts = (list()?.comments ?? []).filter((comment) => comment.sent === null).length;
    bar.hidden = !drafts;
    bar.querySelector("[data-count]").textContent = `${drafts} comment${drafts === 1 ? "" : "s"}`;
  }

  function show() {
    for (const box of root.querySelectorAll(".file"))
      if (list().comments.some((each) => each.key === box.dataset.key)) showIn(box);
    count();
  }

  return { show, showIn };
}
