// Adding a workspace: what the user picks on the host fills in the form, and the server looks at it at once.
const form = () => document.querySelector(".adding");
const field = (name) => form().elements.namedItem(name);

// Fill in a path, and let the server look at the repository.
function choose(path) {
  field("repo_path").value = path;
  field("repo_path").dispatchEvent(new Event("change", { bubbles: true }));
  markChosen(path);
}

function markChosen(path) {
  for (const button of document.querySelectorAll("[data-pick][aria-pressed]"))
    button.setAttribute("aria-pressed", String(button.dataset.pick === path));
}

// Fill in a name, unless the user has typed one.
function propose(name) {
  const input = field("name");
  if (input.value && input.value !== input.dataset.proposed) return;
  input.value = input.dataset.proposed = name;
  keepDraft(input);
}

const keepDraft = (input) => input.dispatchEvent(new Event("input", { bubbles: true }));

// Add a proposed command to what is in the field.
function fill({ dataset, value }) {
  const input = field(dataset.fill);
  const joint = dataset.joint || "\n";
  if (!input.value.split(joint).includes(value)) input.value = input.value ? input.value + joint + value : value;
  input.dataset.filled = input.value;
  keepDraft(input);
  input.focus();
}

// Commands that were proposed for another repository do not stay, unless the user has changed them.
function forgetProposals() {
  for (const input of form().querySelectorAll("[data-filled]")) {
    if (input.value !== input.dataset.filled) continue;
    input.value = "";
    delete input.dataset.filled;
    keepDraft(input);
  }
}

// What was found on the host that was chosen before does not stay.
function forgetHost() {
  for (const id of ["reached", "path-problem", "offer", "offered-setup", "offered-check", "offered-copies"])
    document.getElementById(id).replaceChildren();
  markPath();
  const none = document.getElementById("no-candidates").content.cloneNode(true);
  document.getElementById("candidates").replaceChildren(none);
}

// The field of the path is invalid as long as it says what is wrong with it.
function markPath() {
  const input = field("repo_path");
  const isWrong = document.querySelector("#path-problem .error, #id_repo_path_error") !== null;
  const described = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id !== "path-problem");
  input.setAttribute("aria-describedby", [...described, ...(isWrong ? ["path-problem"] : [])].join(" ").trim());
  isWrong ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
}

document.addEventListener("htmx:after:swap", () => form() && markPath());

document.addEventListener("input", ({ target }) => {
  if (target !== form()?.elements.namedItem("repo_path")) return;
  document.getElementById("path-problem").replaceChildren();
  markPath();
});

document.addEventListener("change", ({ target }) => {
  if (target.name !== "place") return;
  forgetHost();
  if (target.value === "other") field("ssh_host").focus();
});

document.addEventListener("click", ({ target }) => {
  const picked = target.closest?.("[data-pick]");
  if (picked) choose(picked.dataset.pick);
  const proposal = target.closest?.("[data-fill]");
  if (proposal) fill(proposal);
});

// Enter in the fields of a part does what the part's button does, and does not send the form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches?.(".adding input")) return;
  const { name, dataset } = event.target;
  const button = dataset.connects
    ? document.getElementById("connect")
    : document.querySelector(`[data-enter~="${name}"]`);
  if (button) {
    event.preventDefault();
    button.click();
  } else if (name === "repo_path") {
    event.preventDefault();
    event.target.blur(); // The change is looked at.
    event.target.focus();
  }
});

document.addEventListener("picked", ({ detail: { path, name } }) => {
  if (form().dataset.looked !== path) forgetProposals();
  form().dataset.looked = path;
  field("repo_path").value = path;
  keepDraft(field("repo_path"));
  markChosen(path);
  propose(name);
});

document.addEventListener("found", ({ detail: { path } }) => choose(path));
