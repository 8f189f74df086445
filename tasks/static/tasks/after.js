// Suggests open tasks in the field “After”, by number and title, also after a comma; and branches to start from.
const FIELDS = [
  {
    selector: "[data-after]",
    list: "tasks",
    optionsOf: (tasks, before) => tasks.map(({ number, title }) => new Option(title, `${before}#${number}`)),
  },
  {
    selector: "[data-branches]",
    list: "branches",
    optionsOf: (branches) => branches.map((name) => new Option("", name)),
  },
];
const offered = new Map();

const kindOf = (field) => FIELDS.find(({ selector }) => field.matches?.(selector));

document.addEventListener("focusin", async ({ target }) => {
  const kind = kindOf(target);
  const address = kind && addressFor(target, kind);
  if (!address) return;
  if (!offered.has(address)) offered.set(address, await load(address, kind));
  suggest(target, kind, offered.get(address));
});

document.addEventListener("input", ({ target }) => {
  const kind = kindOf(target);
  if (kind) suggest(target, kind, offered.get(addressFor(target, kind)) ?? []);
});

// The list of a workspace may have changed when a form is opened again.
document.addEventListener("htmx:after:swap", () => offered.clear());

// What was added stands in the list above the field.
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.sourceElement?.matches?.(".afterform") && ctx.response?.status === 204) ctx.sourceElement.reset();
});

function addressFor(field, { list }) {
  if (field.dataset.after) return field.dataset.after;
  const workspace = field.form.elements.workspace?.value ?? field.form.dataset.workspace;
  return workspace ? `/workspaces/${workspace}/graph/${list}` : "";
}

async function load(address, { list }) {
  const response = await fetch(address).catch(() => null);
  return response?.ok && !response.redirected ? (await response.json())[list] : [];
}

function suggest(field, { optionsOf }, items) {
  const list = listOf(field);
  const before = field.value.includes(",") ? `${field.value.slice(0, field.value.lastIndexOf(",") + 1)} ` : "";
  if (list.dataset.before === before && list.children.length === items.length) return;
  list.dataset.before = before;
  list.replaceChildren(...optionsOf(items, before));
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
