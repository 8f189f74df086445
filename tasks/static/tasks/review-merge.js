// The merge page: the order of the tasks, and how many are chosen.
const form = document.querySelector("[data-merge]");

function count() {
  const chosen = form.querySelectorAll("[name=task]:checked").length;
  form.querySelector("[data-chosen]").textContent = chosen ? `${chosen} task${chosen === 1 ? "" : "s"}` : "";
  form.querySelector(".button.primary").disabled = !chosen;
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
