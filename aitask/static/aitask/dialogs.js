// Native dialogs: opening by id, and one question for whatever destroys something.
export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
  return dialog;
}

// Resolves to true when the person says yes. `lost` tells what will be gone, `yes` names the verb.
export function ask(question, { lost = "", yes = "Yes", no = "Keep it" } = {}) {
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

// A click on the backdrop closes, unless something was typed there.
document.addEventListener("pointerdown", (event) => {
  const dialog = event.target;
  if (dialog.nodeName !== "DIALOG" || dialog.hasAttribute("data-stays")) return;
  const box = dialog.getBoundingClientRect();
  const inside =
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) dialog.close();
});
