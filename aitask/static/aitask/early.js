// The only script that runs before the page is parsed. It marks <html data-ready> when all of the page's scripts
// listen, and holds the keys that are pressed before until then.
{
  const early = [];
  const isTyping = ({ target }) => target.closest?.("input, textarea, select, [contenteditable]");
  // The focused element may have been replaced since.
  const targetOf = ({ target }) => (target.isConnected ? target : document.body);

  const hold = (event) => {
    if (isTyping(event)) return;
    event.stopImmediatePropagation();
    early.push(event);
  };
  const release = () => {
    removeEventListener("keydown", hold, { capture: true });
    document.documentElement.dataset.ready = "";
    for (const event of early) targetOf(event).dispatchEvent(new KeyboardEvent("keydown", event));
  };

  addEventListener("keydown", hold, { capture: true });
  // Modules have run by then; htmx starts in a timeout that it set before them.
  addEventListener("DOMContentLoaded", () => setTimeout(release));
}
