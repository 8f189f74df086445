// A text on its way from the form for new tasks to the plan page, which splits it or lets an agent plan it.
import { filesOf, mustWait } from "./attach.js";

const TEXT = "plan:text";
const POINT = /^\s{0,3}(?:[-*+•‣◦▪]|\d{1,9}[.)]|#{2,6})\s+\S|^\s{0,3}[☐☑☒]/;
const FENCE = /^\s*(?:```|~~~)/;

// About how many tasks a text would become: the server tells exactly.
export function pointsIn(text) {
  let isCode = false;
  let count = 0;
  for (const line of text.slice(0, 200_000).split("\n")) {
    if (FENCE.test(line)) isCode = !isCode;
    else if (!isCode && POINT.test(line)) count++;
  }
  return count;
}

export function toPlan(form, how) {
  const part = form.querySelector("[data-attach]");
  if (mustWait(part)) return;
  sessionStorage.setItem(TEXT, JSON.stringify({ text: form.elements.text.value, how, files: filesOf(part) }));
  location.assign(`/plan?workspace=${form.elements.workspace.value}`);
}

export function takeText() {
  const value = sessionStorage.getItem(TEXT);
  sessionStorage.removeItem(TEXT);
  return value && JSON.parse(value);
}
