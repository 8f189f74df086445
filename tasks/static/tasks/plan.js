// The plan page: a text is split into tasks, which are edited here and created together. Nothing is on the server
// before that; what is on the page is stored per tab, so that it survives a reload.
import { post } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";
import { filesOf, mustWait, put } from "./attach.js";
import { PlanRows } from "./plan-rows.js";
import { takeText } from "./plan-text.js";

const source = document.getElementById("plan-source");
const form = document.getElementById("plan-form");
const files = form.querySelector("[data-attach]");
const report = document.getElementById("plan-report");
const proposed = JSON.parse(document.getElementById("plan-proposals")?.textContent ?? "null");
const DRAFT = `plan:${proposed ? `run-${proposed.run}-${proposed.version}` : "draft"}`;
const rows = new PlanRows(document.getElementById("plan-rows"), changed);
let told = []; // What the report says: [{ text, lines }]

function changed() {
  const count = rows.tasks.length;
  form.querySelector("[data-count]").textContent = count === 1 ? "1 task" : `${count} tasks`;
  for (const button of form.querySelectorAll("[data-create]")) button.disabled = !count || rows.hasErrors;
  form.querySelector(".planbar").hidden = !count;
  save();
}

function save() {
  const { text, by, nested, share_context: share } = source?.elements ?? {};
  const options = source ? { text: text.value, by: by.value, nested: nested.value, share: share.checked } : {};
  try {
    sessionStorage.setItem(DRAFT, JSON.stringify({ ...options, tasks: rows.tasks, told, files: filesOf(files) }));
  } catch {
    // It is too large for the browser's storage: the page works, but a reload loses it.
  }
}

function restore(draft) {
  if (source && draft.text !== undefined) {
    const { elements } = source;
    [elements.text.value, elements.by.value, elements.nested.value] = [draft.text, draft.by, draft.nested];
    elements.share_context.checked = draft.share;
  }
  if (draft.files) put(files, draft.files);
  show(draft.told);
  rows.show(draft.tasks);
}

// What is chosen for all tasks is kept in the address, from which the server fills the form after a reload.
function keepDefaults() {
  const address = new URLSearchParams(location.search);
  for (const [name, value] of new FormData(form)) if (name !== "attachments") address.set(name, value);
  history.replaceState(history.state, "", `?${address}`);
}

form.addEventListener("input", ({ target }) => target.name && keepDefaults());
form.addEventListener("htmx:after:swap", keepDefaults);

// The sentences above the tasks, each with the lines that it is about.
function show(sentences) {
  told = sentences;
  report.replaceChildren(
    ...sentences.map(({ text, lines }) => {
      if (!lines?.length) return Object.assign(document.createElement("p"), { textContent: text });
      const details = document.createElement("details");
      details.append(Object.assign(document.createElement("summary"), { textContent: text }));
      details.append(Object.assign(document.createElement("pre"), { textContent: lines.join("\n") }));
      return details;
    }),
  );
}

const plural = (count, one, many) => (count === 1 ? `1 ${one}` : `${count} ${many}`);

async function split() {
  const found = await post("/plan/split", new URLSearchParams(new FormData(source)));
  if (!found) return;
  const sentences = [{ text: `${plural(found.tasks.length, "task", "tasks")}. Check them, then create them.` }];
  if (found.done.length) {
    const text = `${plural(found.done.length, "point is", "points are")} ticked as done and left out.`;
    sentences.push({ text, lines: found.done });
  }
  if (found.context.length)
    sentences.push({
      text: `${plural(found.context.length, "line is", "lines are")} in no task.`,
      lines: found.context,
    });
  show(sentences);
  rows.show(found.tasks);
  rows.focus();
}

source?.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (event.submitter?.name === "plan") return startPlan();
  const before = rows.edited ? rows.tasks : null;
  await split();
  if (before) toast({ text: "The tasks were made anew.", undo: () => rows.show(before) });
});
source?.addEventListener("input", save);
source?.addEventListener("change", (event) => {
  if (event.target.name !== "text" && rows.tasks.length && !rows.edited) split();
});

async function startPlan() {
  if (mustWait(files)) return;
  const values = new URLSearchParams(new FormData(form));
  values.set("text", source.elements.text.value);
  const started = await post("/plan/start", values);
  if (started) location.assign(started.url);
}

files.addEventListener("attached", save);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const buttons = form.querySelectorAll("[data-create]");
  for (const button of buttons) button.disabled = true;
  const values = new URLSearchParams(new FormData(form));
  values.set("items", JSON.stringify(rows.items()));
  if (proposed) values.set("plan", proposed.plan);
  if (event.submitter?.name === "run") values.set("run", "1");
  const outcome = await post("/plan/create", values);
  for (const button of buttons) button.disabled = false;
  if (!outcome) return;
  sessionStorage.removeItem(DRAFT);
  if (source) sessionStorage.removeItem("draft:new-task");
  sessionStorage.setItem("many:told", JSON.stringify({ ...outcome, kind: outcome.reasons.length ? "needs" : "good" }));
  location.assign("/");
});

const fromForm = takeText();
const draft = sessionStorage.getItem(DRAFT);
if (fromForm && source) {
  source.elements.text.value = fromForm.text;
  put(files, fromForm.files ?? []);
  changed();
  if (fromForm.how === "split") split();
  else source.elements.plan.focus();
} else if (draft) restore(JSON.parse(draft));
else if (proposed) {
  show(proposed.told);
  rows.show(proposed.tasks);
} else changed();
