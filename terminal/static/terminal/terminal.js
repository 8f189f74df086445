// The page of one session: its terminal next to the list of sessions.
import { step } from "./sessions.js";
import { mount } from "./view.js";

const root = document.getElementById("screen");
const terminals = document.querySelector(".terminals");
const drawer = matchMedia("(max-width: 800px)"); // The sidebar covers the terminal.
const phone = matchMedia("(max-width: 640px), (pointer: coarse)");

const view = await mount(root, {
  nonce: root.dataset.nonce,
  focus: !phone.matches,
  savedOnly: new URLSearchParams(location.search).has("saved"), // The page was opened for the saved history.
  keys: { ArrowDown: () => step(1), ArrowUp: () => step(-1) },
  onOpened: () => history.replaceState(null, "", location.pathname), // A reload then shows the session, and types nothing.
});
export const { term } = view;

document.addEventListener("keydown", (event) => event.target.closest?.(".xterm") || view.pressed(event));
document.getElementById("term-fold").addEventListener("click", () => terminals.classList.toggle("folded"));
document
  .getElementById("term-room")
  .addEventListener("pointerdown", () => drawer.matches && terminals.classList.remove("folded"));
