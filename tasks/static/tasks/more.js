// Loads the next cards of a column shortly before its end comes into view. The button does so for the keyboard.
const MARGIN = "0px 0px 200px 0px";

const observers = new WeakMap(); // by column: each scrolls by itself

function observerOf(list) {
  if (!observers.has(list)) observers.set(list, new IntersectionObserver(load, { root: list, rootMargin: MARGIN }));
  return observers.get(list);
}

function load(entries, observer) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    target.click();
  }
}

export function watchEnds(board) {
  for (const button of board.querySelectorAll("[data-more]")) observerOf(button.closest(".cards")).observe(button);
}
