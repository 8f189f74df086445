// A tool's result stands behind the line of its call, wherever in the list it arrived; an answer closes its request.
export function adopt(rows) {
  for (const result of rows.querySelectorAll(":scope > .ev:not([hidden]) > .result")) {
    const tool = rows.querySelector(`.tool[data-tool="${CSS.escape(result.dataset.result)}"]`);
    if (tool) putBehind(tool, result);
  }
  for (const closing of rows.querySelectorAll("[data-closes]")) {
    rows.querySelector(`.ask[data-request="${CSS.escape(closing.dataset.closes)}"]`)?.classList.add("closed");
  }
}

function putBehind(tool, result) {
  tool.querySelector(".how").textContent = result.dataset.how;
  tool.classList.toggle("bad", result.classList.contains("bad"));
  tool.moved = [...result.querySelector(".inside").children];
  tool.querySelector(".inside").append(...tool.moved);
  tool.result = result;
  result.parentElement.hidden = true;
}

// Calls that leave the page give their results back to the rows that stay.
export function release(rows) {
  const going = new Set(rows);
  for (const row of rows) {
    const tool = row.querySelector(".tool");
    const result = tool?.result;
    if (!result || going.has(result.parentElement)) continue;
    result.querySelector(".inside").append(...tool.moved);
    result.parentElement.hidden = false;
  }
}
