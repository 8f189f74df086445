// Panes that fold and change their width, remembered on this device; tabs where there is room for one only.
const panes = document.querySelector(".panes");
const STEP = 24;
const recall = (name) => localStorage.getItem(`pane:${name}`);
const remember = (name, value) => localStorage.setItem(`pane:${name}`, value);

function setWidth(bar, width) {
  const { ariaValueMin: least, ariaValueMax: most } = bar;
  const kept = Math.round(Math.max(least, Math.min(width, most, innerWidth / 2)));
  panes.style.setProperty(`--${bar.dataset.resizes}`, `${kept}px`);
  bar.ariaValueNow = kept;
  remember(bar.dataset.resizes, kept);
}

for (const bar of document.querySelectorAll(".resizer")) {
  const pane = document.getElementById(`pane-${bar.dataset.resizes}`);
  const sign = bar.dataset.resizes === "side" ? -1 : 1;
  if (recall(bar.dataset.resizes)) setWidth(bar, Number(recall(bar.dataset.resizes)));
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
  remember("folded", panes.dataset.folded);
}

panes.dataset.folded = recall("folded") ?? "";
document.addEventListener("click", (event) => {
  const fold = event.target.closest("[data-fold]");
  if (fold) toggleFold(fold.dataset.fold);
  const tab = event.target.closest("[data-tab]");
  if (tab) showTab(tab);
});

const tabs = [...document.querySelectorAll("[data-tab]")];
function showTab(chosen) {
  panes.dataset.show = chosen.dataset.tab;
  for (const tab of tabs) {
    tab.ariaSelected = String(tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
  }
}
for (const tab of tabs) {
  tab.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const next = tabs.at((tabs.indexOf(tab) + by) % tabs.length);
    showTab(next);
    next.focus();
  });
}
showTab(tabs.find((tab) => tab.dataset.tab === panes.dataset.show));
