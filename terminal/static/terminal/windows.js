// The windows of the session as tabs, switched by a click or the arrow keys.
export function makeWindows(bar, onSelect) {
  const tabs = () => [...bar.children];

  bar.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) onSelect(tab.dataset.window, true);
  });
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs().indexOf(event.target);
    if (!by || at < 0) return;
    event.preventDefault();
    const next = tabs().at((at + by) % tabs().length);
    next.focus();
    onSelect(next.dataset.window, false);
  });

  return function show(windows) {
    const focused = bar.contains(document.activeElement) && document.activeElement.dataset.window;
    bar.hidden = windows.length < 2;
    bar.replaceChildren(...windows.map(makeTab));
    tabs()
      .find((tab) => tab.dataset.window === focused)
      ?.focus();
  };
}

function makeTab({ id, name, current }) {
  const tab = Object.assign(document.createElement("button"), {
    type: "button",
    textContent: name,
    tabIndex: current ? 0 : -1,
  });
  tab.dataset.window = id;
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-selected", String(current));
  return tab;
}
