// Finding text in the terminal and its history.
const COLOURS = {
  matchBackground: "#e0a030",
  matchOverviewRuler: "#e0a030",
  activeMatchBackground: "#2a5bd7",
  activeMatchColorOverviewRuler: "#2a5bd7",
};

const MAX_MATCHES = 1000; // The addon's limit.

// `index` is -1 when new output was searched after the last step, so that no match is the current one.
function describe(index, count) {
  if (!count) return "No results";
  const total = count < MAX_MATCHES ? count : `${MAX_MATCHES}+`;
  return index < 0 ? `${total} found` : `${index + 1} of ${total}`;
}

export function makeFind(form, search, term, older) {
  const input = form.querySelector("input");
  const count = form.querySelector("span");
  const options = { decorations: COLOURS };

  search.onDidChangeResults(({ resultIndex, resultCount }) => {
    count.textContent = input.value ? describe(resultIndex, resultCount) : "";
  });
  const next = () => input.value && search.findNext(input.value, options);
  const back = () => input.value && search.findPrevious(input.value, options);

  function open() {
    form.hidden = false;
    older.loadAll(); // Load the whole history, so that it is searched, too.
    const selected = term.getSelection();
    if (selected && !selected.includes("\n")) input.value = selected;
    input.focus();
    input.select();
  }

  function close() {
    form.hidden = true;
    search.clearDecorations();
    term.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    next();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[type=button]");
    if (button) (button.value === "back" ? back : close)();
  });
  input.addEventListener("input", () =>
    input.value ? search.findPrevious(input.value, { ...options, incremental: true }) : search.clearDecorations(),
  );
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      back();
    }
  });
  return { open };
}
