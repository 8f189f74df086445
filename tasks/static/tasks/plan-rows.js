// The tasks of a plan as rows that can be edited, moved, merged and removed. A row knows the rows that it comes after, so
// that their numbers follow when rows move.
import { toast } from "../aitask/toasts.js";

const FACTS = { touches: "Touches", check: "Check", size: "Size" };

export class PlanRows {
  edited = false;

  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    this.template = document.getElementById("plan-row");
    list.addEventListener("input", ({ target }) => this.#input(target));
    list.addEventListener("click", ({ target }) => this.#click(target.closest("[data-do]")));
    list.addEventListener("keydown", (event) => this.#key(event));
    window.Sortable?.create(list, { handle: ".handle", animation: 120, onEnd: () => this.#settle(true) });
  }

  get rows() {
    return [...this.list.children];
  }

  // What is stored, and what `show` takes.
  get tasks() {
    const rows = this.rows;
    return rows.map((row) => ({
      ...row.facts,
      title: field(row, "title").value,
      prompt: field(row, "prompt").value,
      after: [...row.after].map((other) => rows.indexOf(other)).sort((a, b) => a - b),
    }));
  }

  get hasErrors() {
    return this.rows.some((row) => field(row, "after").ariaInvalid === "true");
  }

  items() {
    return this.tasks.map(({ title, prompt, after }) => ({ title, prompt, after }));
  }

  show(tasks) {
    const rows = tasks.map((task) => this.#row(task));
    tasks.forEach(({ after }, place) => {
      rows[place].after = new Set(after.map((index) => rows[index]).filter(Boolean));
    });
    this.list.replaceChildren(...rows);
    this.edited = false;
    this.#settle(false);
  }

  focus() {
    const title = this.rows[0] && field(this.rows[0], "title");
    title?.focus();
    title?.setSelectionRange(0, 0);
  }

  #row(task) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    field(row, "title").value = task.title;
    field(row, "prompt").value = task.prompt;
    row.facts = Object.fromEntries(Object.keys(FACTS).map((name) => [name, task[name] ?? ""]));
    const shown = row.querySelector("dl");
    for (const [name, label] of Object.entries(FACTS)) {
      const value = [row.facts[name]].flat().join(", ");
      if (!value) continue;
      const group = shown.appendChild(document.createElement("div"));
      group.append(Object.assign(document.createElement("dt"), { textContent: label }));
      group.append(Object.assign(document.createElement("dd"), { textContent: value }));
    }
    shown.hidden = !shown.children.length;
    return row;
  }

  // After rows were moved, made or removed: numbers, names for screen readers, and what can be done.
  #settle(isEdit) {
    this.edited ||= isEdit;
    const rows = this.rows;
    rows.forEach((row, place) => {
      const number = place + 1;
      row.querySelector("[data-number]").textContent = number;
      for (const element of row.querySelectorAll("[data-label]"))
        element.ariaLabel = element.dataset.label.replace("%", number);
      row.querySelector("[data-do=up]").disabled = !place;
      row.querySelector("[data-do=merge]").disabled = !place;
      row.querySelector("[data-do=down]").disabled = number === rows.length;
      this.#showAfter(row);
    });
    this.changed();
  }

  #showAfter(row) {
    const rows = this.rows;
    const numbers = [...row.after].map((other) => rows.indexOf(other) + 1).filter(Boolean);
    field(row, "after").value = numbers.sort((a, b) => a - b).join(", ");
    problem(row, "");
  }

  #input(target) {
    const row = target.closest("li");
    this.edited = true;
    if (target.dataset.name === "after") this.#readAfter(row, target.value);
    this.changed();
  }

  #readAfter(row, text) {
    const rows = this.rows;
    const words = text.split(/[\s,;#]+/).filter(Boolean);
    const wrong = words.find((word) => !/^\d+$/.test(word) || !rows[word - 1]);
    if (wrong) return problem(row, `There is no task ${wrong}.`);
    const after = words.map((word) => rows[word - 1]);
    const behind = after.find((other) => comesAfter(other, row));
    if (behind === row) return problem(row, "A task can't come after itself.");
    if (behind) return problem(row, `Task ${rows.indexOf(behind) + 1} comes after this one already.`);
    row.after = new Set(after);
    problem(row, "");
  }

  #click(button) {
    if (!button) return;
    const row = button.closest("li");
    const verb = button.dataset.do;
    if (verb === "up" || verb === "down") this.#move(row, verb, button);
    else if (verb === "merge") this.#merge(row);
    else this.#remove(row);
  }

  #key(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    this.#move(event.target.closest("li"), event.key === "ArrowUp" ? "up" : "down", event.target);
  }

  #move(row, way, focused) {
    const other = way === "up" ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    if (way === "up") other.before(row);
    else other.after(row);
    this.#settle(true);
    if (focused.disabled) row.querySelector("[data-do]:not(:disabled)").focus();
    else focused.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  #merge(row) {
    const before = this.tasks;
    const into = row.previousElementSibling;
    const prompt = field(into, "prompt");
    prompt.value = `${prompt.value.trimEnd()}\n\n${field(row, "prompt").value.trim() || field(row, "title").value}`;
    this.#replace(row, into);
    field(into, "prompt").focus();
    this.#offerUndo(`Merged into “${field(into, "title").value}”.`, before);
  }

  #remove(row) {
    const before = this.tasks;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    this.#replace(row, null);
    if (next) field(next, "title").focus();
    this.#offerUndo(`Removed “${field(row, "title").value}”.`, before);
  }

  // Take the row away. What came after it comes after `other`, or after what the row came after.
  #replace(row, other) {
    const instead = other ? [other] : [...row.after];
    row.remove();
    for (const each of this.rows) {
      if (each.after.delete(row)) for (const one of instead) if (!comesAfter(one, each)) each.after.add(one);
    }
    for (const one of other ? row.after : []) if (!comesAfter(one, other)) other.after.add(one);
    this.#settle(true);
  }

  #offerUndo(text, before) {
    toast({
      text,
      undo: () => {
        this.show(before);
        this.edited = true;
      },
    });
  }
}

const field = (row, name) => row.querySelector(`[data-name=${name}]`);

// Whether `row` comes after `other`, or is the same.
function comesAfter(row, other, seen = new Set()) {
  if (row === other) return true;
  seen.add(row);
  return [...row.after].some((each) => !seen.has(each) && comesAfter(each, other, seen));
}

function problem(row, text) {
  field(row, "after").ariaInvalid = text ? "true" : "false";
  row.querySelector("[data-problem]").textContent = text;
}
