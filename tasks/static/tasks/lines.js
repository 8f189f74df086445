// The line that each agent is writing at the moment, on its card, in place of what it did last.
const lines = new Map();

export function takeLines(changed) {
  for (const [pk, line] of Object.entries(changed)) line ? lines.set(pk, line) : lines.delete(pk);
  for (const pk of Object.keys(changed)) show(pk);
}

// After the cards were loaded again.
export function showLines() {
  for (const pk of lines.keys()) show(pk);
}

function show(pk) {
  const place = document.querySelector(`#card-${CSS.escape(pk)} [data-activity]`);
  if (place) place.textContent = lines.get(pk) ?? place.dataset.activity;
}
