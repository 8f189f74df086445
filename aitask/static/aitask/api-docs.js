// The API's document in the theme of the app.
import { isDark, onTheme } from "./theme.js";

const apply = () => document.documentElement.classList.toggle("dark-mode", isDark());

apply();
onTheme(apply);
