// What needs the user, on every page: the number of open requests in the navigation, title and icon; notifications.
import { connect } from "../aitask/socket.js";
import { chime, isAllowed, loadSettings, renew } from "./notifications.js";

const badge = document.getElementById("needs-count");
const icon = document.querySelector("link[rel=icon]");
const plainIcon = icon?.href;
const HIDDEN_DELAY = 400; // Milliseconds that a page in the background waits, so that the focused page decides first.
const NOTIFIED_KEY = "aitask-told";
const RECEIVED_KEY = "aitask-heard";
const COUNT = /^\((\d+)\) /; // The prefix of the page title.
let count = Number(COUNT.exec(document.title)?.[1] ?? 0);
let title = document.title.replace(COUNT, "");

const hasFocus = () => document.visibilityState === "visible" && document.hasFocus();

// Pages without a navigation, such as error pages, show no count.
if (badge) {
  const { send } = connect("/ws/attention", {
    open: (send) => {
      send({ t: "from", after: Number(sessionStorage.getItem(RECEIVED_KEY)) || null });
      tellVisible();
    },
    message: (data) => {
      if (data.t === "returned") document.body.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
      if (data.t !== "attention") return;
      count = data.count;
      showCount();
      sessionStorage.setItem(RECEIVED_KEY, data.last);
      if (lastNotified() > data.last) localStorage.setItem(NOTIFIED_KEY, data.last); // from another installation
      for (const news of data.news) setTimeout(() => handle(news), hasFocus() ? 0 : HIDDEN_DELAY);
    },
  });
  // A user is here while a page is visible.
  const tellVisible = () => send({ t: "visible", is: document.visibilityState === "visible" });
  document.addEventListener("visibilitychange", tellVisible);
}

function showCount() {
  badge.hidden = !count;
  badge.textContent = count;
  badge.setAttribute("aria-label", `${count} open request${count === 1 ? "" : "s"}`);
  showTitle();
  if (icon) icon.href = count ? `data:image/svg+xml,${encodeURIComponent(iconWith(count))}` : plainIcon;
}

function showTitle() {
  document.title = count ? `(${count}) ${title}` : title;
}

// Change the page title. All other code must use this function, so that the count stays in front.
export function setTitle(text) {
  title = text;
  showTitle();
}

// htmx sets the title if a response contains one.
document.addEventListener("htmx:finally:swap", ({ detail: { ctx } }) => {
  if (ctx.title) setTitle(document.title.replace(COUNT, ""));
});

const iconWith = (number) => `
  <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
    <rect width="32" height="32" rx="8" fill="#e0a030"/>
    <text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-weight="700"
          font-size="${number > 9 ? 17 : 21}" fill="#1c1d1b">${Math.min(number, 99)}</text>
  </svg>`;

const lastNotified = () => Number(localStorage.getItem(NOTIFIED_KEY) ?? 0);

// Only one page shows each notification, and none does while the user views its subject.
function handle(news) {
  const once = () => {
    if (lastNotified() >= news.id) return;
    localStorage.setItem(NOTIFIED_KEY, news.id);
    if (hasFocus() && isShown(news)) return;
    if (!loadSettings().kinds.includes(news.kind)) return;
    notify(news);
    if (loadSettings().sound) chime();
  };
  navigator.locks ? navigator.locks.request("aitask-attention", once) : once();
}

const isShown = (news) =>
  location.pathname === news.url || (news.kind === "needs_you" && location.pathname === "/inbox");

async function notify(news) {
  if (!isAllowed()) return;
  const options = { body: news.body, tag: news.tag, data: { url: news.url } };
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) return worker.showNotification(news.title, options);
  const shown = new Notification(news.title, options);
  shown.onclick = () => {
    window.focus();
    location.assign(news.url);
  };
}

renew();
