// The theme of this browser: "auto", "light" or "dark". Key and values are those of Django's admin, so that its pages
// follow. `early.js` applies the theme before the page is drawn.
const KEY = "theme";
const CHANGED = "aitask:theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

export const theme = () => localStorage.getItem(KEY) ?? "auto";
export const isDark = () => theme() === "dark" || (theme() === "auto" && systemIsDark.matches);

export function setTheme(name) {
  localStorage.setItem(KEY, name);
  apply();
}

// Call a function whenever the page becomes light or dark.
export function onTheme(change) {
  systemIsDark.addEventListener("change", change);
  document.addEventListener(CHANGED, change);
}

function apply() {
  document.documentElement.dataset.theme = theme();
  document.dispatchEvent(new Event(CHANGED));
}

// Another page of this browser has changed it.
addEventListener("storage", ({ key }) => key === KEY && apply());
