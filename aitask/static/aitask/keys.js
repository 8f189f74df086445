// Keyboard shortcuts: single keys and short sequences. Inactive in fields and while a dialog or menu is open.
const bindings = new Map();
let pending = "";

export function onKeys(map) {
  for (const [keys, action] of Object.entries(map)) bindings.set(keys, action);
}

export const isTyping = (target) => !!target.closest?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open], .menu:popover-open")) return;
  const sequence = pending ? `${pending} ${event.key}` : event.key;
  pending = "";
  const action = bindings.get(sequence);
  if (action) {
    if (action(event) !== false) event.preventDefault();
  } else if ([...bindings.keys()].some((keys) => keys.startsWith(`${event.key} `))) {
    pending = event.key;
    setTimeout(() => (pending = ""), 1200);
  }
});
