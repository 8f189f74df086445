// Dragging cards between columns. The server decides what a drop does; if it refuses, the card moves back.
// `active` is true as soon as a card is pressed: a refresh would end the drag.
import { startWith } from "./many.js";
import { move } from "./move.js";
import { below } from "./place.js";
import { chosenCards, isChosen } from "./selection.js";

// What a drop of several selected cards into a column does.
const VERB_OF_DROP = { backlog: "move-backlog", queued: "run", review: "move-review", done: "close" };

export function watchDrag(board, { settled }) {
  const state = { active: false, attach };
  const sortables = new WeakMap();
  let moving = false;
  let next = "";

  function attach() {
    for (const list of board.querySelectorAll(".cards")) {
      if (sortables.has(list)) continue;
      sortables.set(
        list,
        new Sortable(list, {
          group: "cards",
          draggable: ".card",
          filter: ".tools",
          preventOnFilter: false,
          animation: 120,
          delay: 180,
          delayOnTouchOnly: true,
          emptyInsertThreshold: 60,
          scroll: true,
          bubbleScroll: true,
          onChoose: () => (state.active = true),
          onUnchoose: () => moving || release(),
          onStart: started,
          onMove: ({ to }) => mark(to),
          onEnd: ended,
        }),
      );
    }
  }

  function started({ item }) {
    moving = true;
    next = below(item)?.dataset.pk ?? "";
    document.body.classList.add("dragging");
  }

  function release() {
    moving = false;
    state.active = false;
    settled();
  }

  function mark(list) {
    for (const column of board.querySelectorAll(".column")) column.classList.toggle("drop-here", column.contains(list));
  }

  async function ended({ item, from, to, oldIndex, newIndex }) {
    document.body.classList.remove("dragging");
    mark(null);
    try {
      const verb = VERB_OF_DROP[to.dataset.status];
      if (from !== to && verb && isChosen(item) && chosenCards().length > 1) {
        document.dispatchEvent(new CustomEvent("changed")); // The card returns, and comes again with the others.
        await startWith(verb, chosenCards());
      } else if (from !== to || oldIndex !== newIndex) {
        const before = below(item)?.dataset.pk ?? "";
        await move(item, { status: to.dataset.status, before }, next);
      }
    } finally {
      release();
    }
  }

  attach();
  return state;
}
