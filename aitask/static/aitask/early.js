// The only script that runs before the page is parsed. It applies the theme (see theme.js), so that the page is not
// drawn in another one first. It holds back key presses until the page's scripts listen, then sets <html data-ready>
// and dispatches them again.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "auto";
{
  const held = [];
  // The focused element may have been replaced in the meantime.
  const targetOf = ({ target }) => (target.isConnected ? target : document.body);

  // The default action, such as typing into a field, is not prevented.
  const hold = (event) => {
    event.stopImmediatePropagation();
    held.push(event);
  };
  const release = () => {
    removeEventListener("keydown", hold, { capture: true });
    document.documentElement.dataset.ready = "";
    for (const event of held) targetOf(event).dispatchEvent(new KeyboardEvent("keydown", event));
  };

  addEventListener("keydown", hold, { capture: true });
  // Modules have run by then. htmx starts in a timeout that it has set before this one.
  addEventListener("DOMContentLoaded", () => setTimeout(release));
}
