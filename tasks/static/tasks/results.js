// A tool's result and the diff of what it changed stand behind the line of its call, wherever in the list they
// arrived; an answer closes its request.
export function adopt(rows) {
  for (const result of rows.querySelectorAll(":scope > .ev:not([hidden]) > [data-result]")) {
    const tool = rows.querySelector(`.tool[data-tool="${CSS.escape(result.dataset.result)}"]`);
    if (tool) putBehind(tool, result);
  }
  for (const closing of rows.querySelectorAll("[data-closes]")) {
    rows.querySelector(`.ask[data-request="${CSS.escape(closing.dataset.closes)}"]`)?.classList.add("closed");
  }
}

function putBehind(tool, result) {
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
  tool.behind ??= [];
  tool.behind.push([result, moved]);
  result.parentElement.hidden = true;
}

// Calls that leave the page give their results back to the rows that stay.
export function release(rows) {
  const going = new Set(rows);
  for (const [result, moved] of rows.flatMap((row) => row.querySelector(".tool")?.behind ?? [])) {
    if (going.has(result.parentElement)) continue;
    result.querySelector(".inside").append(...moved);
    result.parentElement.hidden = false;
  }
}
