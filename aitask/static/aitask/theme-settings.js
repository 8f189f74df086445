// The choice of a theme on the settings page.
import { setTheme, theme } from "./theme.js";

const form = document.getElementById("theme");

form.elements.theme.value = theme();
form.addEventListener("change", () => setTheme(form.elements.theme.value));
