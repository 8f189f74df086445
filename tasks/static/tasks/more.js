// Loads the next cards of a column when its end comes into view. Without scrolling, the button does.
const MARGIN = "400px";

const observer = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      target.click();
    }
  },
  { rootMargin: MARGIN },
);

export function watchEnds(board) {
  for (const button of board.querySelectorAll("[data-more]")) observer.observe(button);
}
