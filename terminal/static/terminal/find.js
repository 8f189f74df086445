// Finding text in the terminal and its history.
const COLOURS = { matchBackground: "#e0a030", matchOverviewRuler: "#e0a030", activeMatchBackground: "#2a5bd7", activeMatchColorOverviewRuler: "#2a5bd7" };

export function makeFind(form, search, term, older) {
  const input = form.querySelector("input");
  const count = form.querySelector("span");
  const options = { decorations: COLOURS };

  search.onDidChangeResults(({ resultIndex, resultCount }) => {
    count.textContent = input.value ? (resultCount ? `${resultIndex + 1} of ${resultCount}` : "none") : "";
  });
  const next = () => input.value && search.findNext(input.value, options);
  const back = () => input.value && search.findPrevious(input.value, options);

  function open() {
    form.hidden = false;
    older.all();  // Or it would find nothing where there is something.
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

  form.addEventListener("submit", (event) => { event.preventDefault(); next(); });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[type=button]");
    if (button) (button.value === "back" ? back : close)();
  });
  input.addEventListener("input", () => (input.value ? search.findPrevious(input.value, { ...options, incremental: true }) : search.clearDecorations()));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); back(); }
  });
  return { open };
}
