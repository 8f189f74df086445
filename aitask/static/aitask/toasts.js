// Short messages in the corner. Errors stay until dismissed, the others disappear after a few seconds.
const LIFETIME = 5000;
const LONG_LIFETIME = 12000; // For what has to be read or decided.

// With `stays`, whoever calls this removes it.
export function toast({ text, hint = "", kind = "", undo = null, link = null, stays = false }) {
  const host = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const message = box.appendChild(document.createElement("p"));
  message.textContent = text;
  if (hint) {
    const detail = message.appendChild(document.createElement("span"));
    detail.className = "hint";
    detail.textContent = ` ${hint}`;
  }
  if (link) {
    message.append(" ", Object.assign(document.createElement("a"), { href: link.href, textContent: link.text }));
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
  if (kind !== "failed" && !stays) removeLater(box, hint || undo || link ? LONG_LIFETIME : LIFETIME);
  return box;
}

function button(label, action) {
  const element = Object.assign(document.createElement("button"), {
    type: "button",
    className: "button quiet tiny",
    textContent: label,
  });
  element.addEventListener("click", action);
  return element;
}

// A modal dialog covers everything that is not in the top layer, so the toasts are a popover there, too.
function raise(host) {
  if (!host.popover) host.popover = "manual";
  if (host.matches(":popover-open")) host.hidePopover();
  host.showPopover();
}

function removeLater(box, lifetime = LIFETIME) {
  let timer = setTimeout(() => box.remove(), lifetime);
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => (timer = setTimeout(() => box.remove(), LIFETIME / 2)));
}

for (const box of document.querySelectorAll("#toasts [data-toast]:not(.failed)")) removeLater(box);
