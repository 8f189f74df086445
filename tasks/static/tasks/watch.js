// Pages about a task that have no conversation learn here that it has changed elsewhere: in another window, or on its
// host. Elements with `data-title-of` show its title; parts of the page reload with “run-changed”.
import { connect } from "../aitask/socket.js";
import { tick } from "../aitask/times.js";
import { setTitle } from "./attention.js";

const page = document.querySelector("[data-watch]");
let { version } = page.dataset; // Of what the page shows. A page that loads its parts by itself has none.

connect(page.dataset.watch, {
  message: (data) => {
    if (data.t !== "task") return;
    showTitle(data.title);
    const isNews = version !== undefined && version !== data.version;
    version = data.version;
    if (!isNews) return;
    document.body.dispatchEvent(new CustomEvent("run-changed", { bubbles: true, detail: { branch: true } }));
  },
});

function showTitle(title) {
  for (const shown of document.querySelectorAll("[data-title-of]")) {
    if (shown.textContent !== title) shown.textContent = title;
  }
  setTitle(`${page.dataset.page} · ${title} · AI Task Manager`);
}

document.addEventListener("htmx:after:swap", () => tick(page));
