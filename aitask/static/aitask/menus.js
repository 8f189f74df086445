// Popover menus: positioned next to their button, navigated with the arrow keys.
import { isTyping } from "./keys.js";

function placeMenu(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = menu.dataset.align === "end" ? box.right - width : box.left;
  const below = box.bottom + 4;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  menu.style.top = `${below + height > innerHeight - 8 ? Math.max(8, box.top - height - 4) : below}px`;
}

export function openMenu(menu, anchor) {
  menu.showPopover();
  placeMenu(menu, anchor);
  items(menu)[0]?.focus();
}

const items = (menu) => [...menu.querySelectorAll("a[href], button:not(:disabled)")].filter((e) => e.offsetParent);

document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.classList?.contains("menu") || event.newState !== "open") return;
    const opener = document.querySelector(`[data-menu="${menu.id}"]`);
    if (opener) placeMenu(menu, opener);
  },
  true,
);

document.addEventListener(
  "keydown",
  (event) => {
    const menu = event.target.closest?.(".menu:popover-open");
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (!menu || !step || isTyping(event.target)) return;
    const all = items(menu);
    all.at((all.indexOf(document.activeElement) + step) % all.length)?.focus();
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);
