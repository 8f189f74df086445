// Keys that a phone's keyboard lacks. Ctrl holds for the next key.
const encoder = new TextEncoder();
const PLAIN = { Esc: "\x1b", Tab: "\t", "⏎": "\r" };
const ARROWS = { "←": "D", "↑": "A", "↓": "B", "→": "C" };

export function makeTouch(bar, term, type) {
  const ctrl = bar.querySelector("[data-key=Ctrl]");
  let held = false;

  function hold(on) {
    held = on;
    ctrl.setAttribute("aria-pressed", String(on));
  }

  bar.addEventListener("pointerdown", (event) => event.preventDefault()); // The keyboard stays where it is.
  bar.addEventListener("click", (event) => {
    const key = event.target.closest("button")?.dataset.key;
    if (!key) return;
    if (key === "Ctrl") return hold(!held);
    const application = term.modes.applicationCursorKeysMode;
    const arrow = held ? `\x1b[1;5${ARROWS[key]}` : `\x1b${application ? "O" : "["}${ARROWS[key]}`;
    hold(false);
    type(encoder.encode(PLAIN[key] ?? arrow));
  });

  // With Ctrl held, a letter becomes its control character.
  function changed(bytes) {
    if (!held || bytes.length !== 1) return bytes;
    hold(false);
    return bytes[0] >= 0x40 && bytes[0] < 0x80 ? Uint8Array.of(bytes[0] & 0x1f) : bytes;
  }

  return { changed };
}
