// Panes that can be resized and collapsed, stored in this browser. On narrow screens, tabs show one pane at a time.
const panes = document.querySelector(".panes");
const STEP = 24;
const load = (name) => localStorage.getItem(`pane:${name}`);
const store = (name, value) => localStorage.setItem(`pane:${name}`, value);

function setWidth(bar, width) {
  const { ariaValueMin: min, ariaValueMax: max } = bar;
  const rounded = Math.round(Math.max(min, Math.min(width, max, innerWidth / 2)));
  panes.style.setProperty(`--${bar.dataset.resizes}`, `${rounded}px`);
  bar.ariaValueNow = rounded;
  store(bar.dataset.resizes, rounded);
}

for (const bar of document.querySelectorAll(".resizer")) {
  const pane = document.getElementById(`pane-${bar.dataset.resizes}`);
  const sign = bar.dataset.resizes === "side" ? -1 : 1;
  if (load(bar.dataset.resizes)) setWidth(bar, Number(load(bar.dataset.resizes)));
  bar.addEventListener("pointerdown", (down) => {
    const start = pane.offsetWidth;
    const move = (event) => setWidth(bar, start + sign * (event.clientX - down.clientX));
    bar.setPointerCapture(down.pointerId);
    bar.classList.add("moving");
    bar.addEventListener("pointermove", move);
    bar.addEventListener(
      "pointerup",
      () => {
        bar.removeEventListener("pointermove", move);
        bar.classList.remove("moving");
      },
      { once: true },
    );
  });
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (by) setWidth(bar, pane.offsetWidth + sign * by);
  });
  bar.addEventListener("dblclick", () => toggleFold(bar.dataset.resizes));
}

export function toggleFold(name) {
  const folded = new Set((panes.dataset.folded ?? "").split(" ").filter(Boolean));
  folded.has(name) ? folded.delete(name) : folded.add(name);
  panes.dataset.folded = [...folded].join(" ");
  store("folded", panes.dataset.folded);
}

panes.dataset.folded = load("folded") ?? "";
document.addEventListener("click", (event) => {
  const fold = event.target.closest("[data-fold]");
  if (fold) toggleFold(fold.dataset.fold);
  const tab = event.target.closest("[data-tab]");
  if (tab) showTab(tab.dataset.tab);
});

const tabs = [...document.querySelectorAll("[data-tab]")];
export function showTab(name) {
  panes.dataset.show = name;
  for (const tab of tabs) {
    const isChosen = tab.dataset.tab === name;
    tab.ariaSelected = String(isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
  }
}
for (const tab of tabs) {
  tab.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const next = tabs.at((tabs.indexOf(tab) + by) % tabs.length);
    showTab(next.dataset.tab);
    next.focus();
  });
}
showTab(panes.dataset.show);
