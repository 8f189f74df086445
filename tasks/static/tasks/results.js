// Move each tool result and diff into the row of its tool call, wherever in the list they arrived, and mark answered
// requests as closed.
export function adopt(rows) {
  for (const result of rows.querySelectorAll(":scope > .ev:not([hidden]) > [data-result]")) {
    const tool = rows.querySelector(`.tool[data-tool="${CSS.escape(result.dataset.result)}"]`);
    if (tool) attach(tool, result);
  }
  for (const closing of rows.querySelectorAll("[data-closes]")) {
    rows.querySelector(`.ask[data-request="${CSS.escape(closing.dataset.closes)}"]`)?.classList.add("closed");
  }
}

function attach(tool, result) {
  const moved = [...result.querySelector(".inside").children];
  const how = tool.querySelector(".how");
  if (result.classList.contains("change")) {
    tool.classList.add("has-diff");
    how.replaceChildren(...[...result.querySelector(".how").childNodes].map((node) => node.cloneNode(true)));
  } else if (result.dataset.how) {
    how.textContent = result.dataset.how;
  }
  tool.classList.toggle("bad", tool.classList.contains("bad") || result.classList.contains("bad"));
  tool.querySelector(".inside").append(...moved);
  tool.attached ??= [];
  tool.attached.push([result, moved]);
  result.parentElement.hidden = true;
}

// Before rows of tool calls are removed, move the results back to their own rows if these stay.
export function release(rows) {
  const removed = new Set(rows);
  for (const [result, moved] of rows.flatMap((row) => row.querySelector(".tool")?.attached ?? [])) {
    if (removed.has(result.parentElement)) continue;
    result.querySelector(".inside").append(...moved);
    result.parentElement.hidden = false;
  }
}
