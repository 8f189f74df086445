// Short messages in the corner; errors stay until dismissed, the others leave by themselves.
const LIFETIME = 5000;

export function toast({ text, hint = "", kind = "", undo = null }) {
  const host = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const words = box.appendChild(document.createElement("p"));
  words.textContent = text;
  if (hint) {
    const more = words.appendChild(document.createElement("span"));
    more.className = "hint";
    more.textContent = ` ${hint}`;
  }
  if (undo)
    box.append(
      button("Undo", () => {
        box.remove();
        undo();
      }),
    );
  const close = button("×", () => box.remove());
  close.setAttribute("aria-label", "Dismiss");
  box.append(close);
  raise(host);
  host.append(box);
  if (kind !== "failed") leaveLater(box);
  return box;
}

function button(label, action) {
  const made = Object.assign(document.createElement("button"), {
    type: "button",
    className: "button quiet tiny",
    textContent: label,
  });
  made.addEventListener("click", action);
  return made;
}

// A modal dialog covers everything that is not in the top layer, so the toasts go there too.
function raise(host) {
  if (!host.popover) host.popover = "manual";
  if (host.matches(":popover-open")) host.hidePopover();
  host.showPopover();
}

function leaveLater(box) {
  let timer = setTimeout(() => box.remove(), LIFETIME);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => (timer = setTimeout(() => box.remove(), LIFETIME / 2)));
}

for (const box of document.querySelectorAll("#toasts [data-toast]:not(.failed)")) leaveLater(box);
