// The only script that runs before the page is parsed. It marks <html data-ready> when all of the page's scripts
// listen, and repeats for them the keys that were pressed before.
{
  const early = [];
  // The focused element may have been replaced since.
  const targetOf = ({ target }) => (target.isConnected ? target : document.body);

  // What a key does by itself, such as writing into a field, it does at once.
  const hold = (event) => {
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
