// The line that each agent is writing at the moment, on its card, in place of what it did last.
const lines = new Map();

export function takeLines(changed) {
  for (const [pk, line] of Object.entries(changed)) line ? lines.set(pk, line) : lines.delete(pk);
  for (const pk of Object.keys(changed)) show(pk);
}

// After all cards, or one, were loaded again.
export function showLines(only) {
  for (const pk of only ? [only] : lines.keys()) if (lines.has(pk)) show(pk);
}

// The end of a long line stays visible, because the box is written from right to left and its content is not.
function show(pk) {
  const place = document.querySelector(`#card-${CSS.escape(pk)} [data-activity]`);
  if (!place) return;
  const line = lines.get(pk);
  place.classList.toggle("is-writing", line !== undefined);
  if (line === undefined) {
    place.textContent = place.dataset.activity;
    return;
  }
  const text = document.createElement("bdi");
  text.textContent = line;
  place.replaceChildren(text);
}
