// The merge page: the order of the tasks and the number of selected tasks.
const form = document.querySelector("[data-merge]");

function count() {
  const selected = form.querySelectorAll("[name=task]:checked").length;
  form.querySelector("[data-chosen]").textContent = selected ? `${selected} task${selected === 1 ? "" : "s"}` : "";
  form.querySelector(".button.primary").disabled = !selected;
}

if (form) {
  form.addEventListener("change", count);
  form.addEventListener("click", (event) => {
    const mover = event.target.closest("[data-up], [data-down]");
    if (!mover) return;
    const item = mover.closest("li");
    if ("up" in mover.dataset) item.previousElementSibling?.before(item);
    else item.nextElementSibling?.after(item);
    mover.focus();
  });
  count();
}
