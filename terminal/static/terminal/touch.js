// Keys that are missing on a phone's keyboard. Ctrl applies to the next key.
const encoder = new TextEncoder();
const PLAIN = { Esc: "\x1b", Tab: "\t", "⏎": "\r" };
const ARROWS = { "←": "D", "↑": "A", "↓": "B", "→": "C" };

export function makeTouch(bar, term, type) {
  const ctrl = bar.querySelector("[data-key=Ctrl]");
  let ctrlActive = false;

  function setCtrl(on) {
    ctrlActive = on;
    ctrl.setAttribute("aria-pressed", String(on));
  }

  bar.addEventListener("pointerdown", (event) => event.preventDefault()); // Keep the on-screen keyboard open.
  bar.addEventListener("click", (event) => {
    const key = event.target.closest("button")?.dataset.key;
    if (!key) return;
    if (key === "Ctrl") return setCtrl(!ctrlActive);
    const application = term.modes.applicationCursorKeysMode;
    const arrow = ctrlActive ? `\x1b[1;5${ARROWS[key]}` : `\x1b${application ? "O" : "["}${ARROWS[key]}`;
    setCtrl(false);
    type(encoder.encode(PLAIN[key] ?? arrow));
  });

  // With Ctrl active, convert a letter to its control character.
  function transform(bytes) {
    if (!ctrlActive || bytes.length !== 1) return bytes;
    setCtrl(false);
    return bytes[0] >= 0x40 && bytes[0] < 0x80 ? Uint8Array.of(bytes[0] & 0x1f) : bytes;
  }

  return { transform };
}
