// Finding text in the terminal and its history.
const COLOURS = {
  matchBackground: "#e0a030",
  matchOverviewRuler: "#e0a030",
  activeMatchBackground: "#2a5bd7",
  activeMatchColorOverviewRuler: "#2a5bd7",
};

const MOST = 1000; // The addon looks for no more.

// Lines that came after the last step are searched, too, and then no match is the current one.
function said(index, count) {
  if (!count) return "none";
  const all = count < MOST ? count : `${MOST} or more`;
  return index < 0 ? `${all} found` : `${index + 1} of ${all}`;
}

export function makeFind(form, search, term, older) {
  const input = form.querySelector("input");
  const count = form.querySelector("span");
  const options = { decorations: COLOURS };

  search.onDidChangeResults(({ resultIndex, resultCount }) => {
    count.textContent = input.value ? said(resultIndex, resultCount) : "";
  });
  const next = () => input.value && search.findNext(input.value, options);
  const back = () => input.value && search.findPrevious(input.value, options);

  function open() {
    form.hidden = false;
    older.all(); // Or it would find nothing where there is something.
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
