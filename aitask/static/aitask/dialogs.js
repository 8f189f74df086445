// Native dialogs: open by id, and the confirmation dialog.
export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
  return dialog;
}

// Resolve to true if the user confirms. `lost` says what the action deletes; `yes` and `no` are the button labels.
export function ask(question, { lost = "", yes = "Yes", no = "Cancel" } = {}) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("h2").textContent = question;
  dialog.querySelector("[data-lost]").textContent = lost;
  dialog.querySelector("[value=yes] span").textContent = yes;
  dialog.querySelector("[value=no] span").textContent = no;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
  );
}

document.getElementById("confirm")?.addEventListener("keydown", (event) => {
  if (event.key === "y") event.currentTarget.close("yes");
});

// A click on the backdrop closes the dialog, except for forms (data-stays): they would lose their input.
document.addEventListener("pointerdown", (event) => {
  const dialog = event.target;
  if (dialog.nodeName !== "DIALOG" || dialog.hasAttribute("data-stays")) return;
  const box = dialog.getBoundingClientRect();
  const inside =
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) dialog.close();
});
