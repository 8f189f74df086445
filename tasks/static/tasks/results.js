// Put what belongs to a tool call into its row, wherever in the list it has arrived: results, diffs, and the rows of a
// sub-agent. Raw output of a run is one entry. Answered requests are marked as closed.
export function adopt(rows) {
  for (const row of rows.querySelectorAll(":scope > .ev[data-under]:not([hidden])")) {
    const tool = toolOf(rows, row.dataset.under);
    if (tool) nest(tool, row);
  }
  for (const result of rows.querySelectorAll(":scope > .ev:not([hidden]) > [data-result]")) {
    const tool = toolOf(rows, result.dataset.result);
    if (tool) attach(tool, result);
  }
  for (const hint of rows.querySelectorAll(":scope > .ev > [data-of]:not([data-used])")) {
    const tool = toolOf(rows, hint.dataset.of);
    if (tool) describe(tool, hint);
  }
  for (const closing of rows.querySelectorAll("[data-closes]")) {
    rows.querySelector(`.ask[data-request="${CSS.escape(closing.dataset.closes)}"]`)?.classList.add("closed");
  }
  joinRaw(rows);
}

const toolOf = (rows, key) => rows.querySelector(`.tool[data-tool="${CSS.escape(key)}"]`);

function attach(tool, result) {
  const inside = result.querySelector(".inside");
  const moved = [...inside.children];
  const how = tool.querySelector(".how");
  if (result.classList.contains("change")) {
    tool.classList.add("has-diff");
    how.replaceChildren(...[...result.querySelector(".how").childNodes].map((node) => node.cloneNode(true)));
  } else if (result.dataset.how) {
    how.textContent = result.dataset.how;
  }
  tool.classList.toggle("bad", tool.classList.contains("bad") || result.classList.contains("bad"));
  keep(tool, result.parentElement, inside, moved);
  tool.querySelector(".inside").append(...moved);
  const pictures = result.parentElement.querySelector(":scope > .shown");
  if (pictures) {
    keep(tool, result.parentElement, result.parentElement, [pictures]);
    tool.after(pictures);
  }
}

// Show a row of a sub-agent below the call that has started it.
function nest(tool, row) {
  const moved = [...row.children];
  const inside = tool.querySelector(":scope > .inside");
  let nested = inside.querySelector(":scope > .nested");
  if (!nested) {
    nested = Object.assign(document.createElement("div"), { className: "nested" });
    inside.append(nested);
  }
  const place = Object.assign(document.createElement("div"), { className: row.className, title: row.title });
  place.append(...moved);
  nested.append(place);
  tool.classList.add("has-nested");
  keep(tool, row, row, moved);
}

function keep(tool, row, home, moved) {
  tool.attached ??= [];
  tool.attached.push({ row, home, moved });
  row.hidden = true;
}

// Say in the line of a tool call how what it has started is.
function describe(tool, hint) {
  hint.dataset.used = "";
  const summary = tool.querySelector(":scope > summary");
  let words = summary.querySelector(".work");
  if (!words) {
    words = Object.assign(document.createElement("span"), { className: "work" });
    summary.querySelector(".how").before(words);
  }
  words.textContent = hint.dataset.words;
}

// Each batch of rows has one entry for all raw output of its run. Keep the first one, with the newest numbers.
function joinRaw(rows) {
  const first = new Map();
  for (const entry of rows.querySelectorAll(":scope > .ev:not([hidden]) > [data-raw]")) {
    const shown = first.get(entry.dataset.raw);
    if (!shown) {
      first.set(entry.dataset.raw, entry);
      continue;
    }
    shown.replaceChildren(...[...entry.childNodes].map((node) => node.cloneNode(true)));
    entry.parentElement.hidden = true;
  }
}

// Before rows of tool calls are removed, move what was put into them back to its own rows if these stay.
export function release(rows) {
  const removed = new Set(rows);
  for (const row of rows) {
    const tool = row.querySelector(":scope > .tool");
    if (tool) giveBack(tool, removed);
  }
}

function giveBack(tool, removed) {
  for (const { row, home, moved } of tool.attached ?? []) {
    if (removed.has(row)) {
      for (const node of moved) if (node.matches(".tool")) giveBack(node, removed);
    } else {
      home.append(...moved);
      row.hidden = false;
    }
  }
}
