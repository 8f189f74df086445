// Suggests open tasks in the field “After”, by number and title, also after a comma.
const offered = new Map();

document.addEventListener("focusin", async ({ target }) => {
  if (!target.matches?.("[data-after]")) return;
  const address = addressFor(target);
  if (!address) return;
  if (!offered.has(address)) offered.set(address, await load(address));
  suggest(target, offered.get(address));
});

document.addEventListener("input", ({ target }) => {
  if (!target.matches?.("[data-after]")) return;
  suggest(target, offered.get(addressFor(target)) ?? []);
});

// The list of a workspace may have changed when a form is opened again.
document.addEventListener("htmx:after:swap", () => offered.clear());

// What was added stands in the list above the field.
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement?.matches?.(".afterform") && ctx.response?.status === 204) ctx.sourceElement.reset();
});

function addressFor(field) {
  if (field.dataset.after) return field.dataset.after;
  const workspace = field.form.elements.workspace?.value;
  return workspace ? `/workspaces/${workspace}/graph/tasks` : "";
}

async function load(address) {
  const response = await fetch(address).catch(() => null);
  return response?.ok && !response.redirected ? (await response.json()).tasks : [];
}

function suggest(field, tasks) {
  const list = listOf(field);
  const before = field.value.includes(",") ? `${field.value.slice(0, field.value.lastIndexOf(",") + 1)} ` : "";
  if (list.dataset.before === before && list.children.length === tasks.length) return;
  list.dataset.before = before;
  list.replaceChildren(...tasks.map((task) => new Option(task.title, `${before}#${task.number}`)));
}

// The list stands at the end of the page, where an update of the field's surroundings does not remove it.
function listOf(field) {
  const id = `${field.id}-offered`;
  field.setAttribute("list", id);
  const known = document.getElementById(id);
  if (known) return known;
  const list = document.createElement("datalist");
  list.id = id;
  document.body.append(list);
  return list;
}
