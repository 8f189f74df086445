// The terminal's colours, light and dark, as the rest of the page looks.
const DARK = {
  background: "#1b1c1b", foreground: "#e9e9e6", cursor: "#e9e9e6", cursorAccent: "#1b1c1b", selectionBackground: "#3b4a6b",
  black: "#2c2e2c", red: "#ff8a80", green: "#63c98c", yellow: "#f2b84b", blue: "#82a8ff", magenta: "#d49bea", cyan: "#5ec9cf", white: "#c9cac6",
  brightBlack: "#8b8d88", brightRed: "#ffaaa2", brightGreen: "#8fe0ae", brightYellow: "#ffd27d", brightBlue: "#a9c4ff", brightMagenta: "#e6bff5", brightCyan: "#93e2e6", brightWhite: "#ffffff",
};
const LIGHT = {
  background: "#ffffff", foreground: "#1c1d1b", cursor: "#1c1d1b", cursorAccent: "#ffffff", selectionBackground: "#cfdcfa",
  black: "#1c1d1b", red: "#b6251f", green: "#17713d", yellow: "#8a5300", blue: "#2a5bd7", magenta: "#8a2fa8", cyan: "#0b6f77", white: "#8b8b84",
  brightBlack: "#5c5d58", brightRed: "#cf3a33", brightGreen: "#1f8a4c", brightYellow: "#a86a00", brightBlue: "#4373ea", brightMagenta: "#a344c2", brightCyan: "#118a93", brightWhite: "#3a3b38",
};
const dark = matchMedia("(prefers-color-scheme: dark)");

export const colours = () => (dark.matches ? DARK : LIGHT);
export const onColours = (change) => dark.addEventListener("change", () => change(colours()));
