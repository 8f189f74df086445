// The figures of a bar: by pointer, and with the arrow keys on a focused plot.
for (const plot of document.querySelectorAll("[data-plot]")) {
  const readout = plot.closest("figure").querySelector(".readout");
  const columns = [...plot.querySelectorAll(".column")];
  let shown = -1;

  const show = (index) => {
    columns[shown]?.classList.remove("shown");
    shown = index;
    columns[shown].classList.add("shown");
    readout.textContent = columns[shown].dataset.says;
  };

  plot.addEventListener("pointerover", ({ target }) => target.matches(".column") && show(columns.indexOf(target)));
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(Math.max(0, Math.min(columns.length - 1, shown + step)));
  });
}
