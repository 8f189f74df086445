// While a task is in review, its diff is in the middle and the conversation is folded to its last words, unless the user
// has opened the conversation: this browser remembers it. In all other states the conversation is in the middle.
import { onKeys } from "../aitask/keys.js";
import { showTab } from "./panes.js";

const panes = document.querySelector(".panes");
const STORED = "pane:review";
const isInReview = () => document.getElementById("run-state").hasAttribute("data-in-review");

export const isReviewing = () => panes.dataset.layout === "review";

// `layout` is “review” or “talk”.
export function setLayout(layout) {
  if (!isInReview()) return;
  localStorage.setItem(STORED, layout);
  show(layout);
}

function show(layout) {
  panes.dataset.layout = layout;
  showTab(layout === "review" ? "side" : "talk");
}

// Show the conversation for something that is to be seen in it. The user's choice stays as it was.
export function showConversation() {
  if (panes.dataset.layout !== "talk" || panes.dataset.show !== "talk") show("talk");
}

if (isReviewing() && localStorage.getItem(STORED) === "talk") panes.dataset.layout = "talk";

// When the task leaves the review, the conversation opens. When it enters it, nothing moves under the reader's eyes.
document.addEventListener("htmx:after:swap", () => {
  if (isReviewing() && !isInReview()) show("talk");
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-layout-to]");
  if (button) setLayout(button.dataset.layoutTo);
});

onKeys({ o: () => setLayout(isReviewing() ? "talk" : "review") });
