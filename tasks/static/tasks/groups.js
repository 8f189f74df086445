// The board grouped by workspace: in each column, a heading stands above the cards of each workspace.
const checkbox = document.getElementById("f-group");
const workspaces = document.getElementById("f-workspace");

export const isGrouped = () => checkbox.checked && !workspaces.value;

// The workspaces are in the order of the list in which one of them can be chosen.
const placeOf = (workspace) => [...workspaces.options].findIndex(({ value }) => value === String(workspace));

// The place of a workspace, which comes before the place of its cards.
export const groupOf = (workspace) => (isGrouped() ? placeOf(workspace) : 0);

function headingFor(card) {
  const { status, workspace } = card.dataset;
  const id = `group-${status}-${workspace}`;
  const known = document.getElementById(id);
  if (known) return known;
  const heading = document.createElement("li");
  heading.id = id;
  heading.className = "group";
  heading.dataset.workspace = workspace;
  heading.dataset.order = "-Infinity 0"; // Before all cards of the workspace, for `incoming.js`.
  const name = document.createElement("h3");
  name.textContent = workspaces.options[placeOf(workspace)]?.text ?? "";
  heading.append(name);
  return heading;
}

// Call this after each change of the columns.
export function showGroups() {
  for (const list of document.querySelectorAll("#columns .cards")) {
    const cards = isGrouped() ? [...list.querySelectorAll(":scope > .card")] : [];
    const isFirst = (card, at) => at === 0 || cards[at - 1].dataset.workspace !== card.dataset.workspace;
    const headings = cards.filter(isFirst).map((card) => {
      const heading = headingFor(card);
      if (card.previousElementSibling !== heading) list.insertBefore(heading, card);
      return heading;
    });
    for (const heading of list.querySelectorAll(":scope > .group")) if (!headings.includes(heading)) heading.remove();
  }
}
