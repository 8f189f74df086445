// Notifications on every page: the number of open requests in the navigation, title and icon; and optionally sounds.
import { post } from "../aitask/send.js";
import { connect } from "../aitask/socket.js";
import { toast } from "../aitask/toasts.js";

const badge = document.getElementById("needs-count");
const form = document.getElementById("attention");
const icon = document.querySelector("link[rel=icon]");
const plainIcon = icon?.href;
const HIDDEN_DELAY = 400; // Milliseconds that a page in the background waits, so that the focused page decides first.
const SETTINGS_KEY = "aitask-attention";
const NOTIFIED_KEY = "aitask-told";
const RECEIVED_KEY = "aitask-heard";
const COUNT = /^\((\d+)\) /; // The prefix of the page title.
let count = Number(COUNT.exec(document.title)?.[1] ?? 0);
let title = document.title.replace(COUNT, "");

const loadSettings = () => JSON.parse(localStorage.getItem(SETTINGS_KEY) ?? '{"kinds":[],"sound":false,"push":false}');
const allowed = () => "Notification" in window && Notification.permission === "granted";
const hasFocus = () => document.visibilityState === "visible" && document.hasFocus();

// Pages without a navigation, such as error pages, show no count.
if (badge) {
  connect("/ws/attention", {
    open: (send) => send({ t: "from", after: Number(sessionStorage.getItem(RECEIVED_KEY)) || null }),
    message: (data) => {
      if (data.t !== "attention") return;
      count = data.count;
      showCount();
      sessionStorage.setItem(RECEIVED_KEY, data.last);
      if (lastNotified() > data.last) localStorage.setItem(NOTIFIED_KEY, data.last); // from another installation
      for (const news of data.news) setTimeout(() => handle(news), hasFocus() ? 0 : HIDDEN_DELAY);
    },
  });
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
  if (!allowed()) return;
  const options = { body: news.body, tag: news.tag, data: { url: news.url } };
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) return worker.showNotification(news.title, options);
  const shown = new Notification(news.title, options);
  shown.onclick = () => {
    window.focus();
    location.assign(news.url);
  };
}

function chime() {
  const audio = new AudioContext();
  const gain = audio.createGain();
  gain.gain.setValueAtTime(0.08, audio.currentTime);
  gain.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 0.5);
  for (const [tone, after] of [
    [660, 0],
    [880, 0.12],
  ]) {
    const voice = new OscillatorNode(audio, { frequency: tone });
    voice.connect(gain).connect(audio.destination);
    voice.start(audio.currentTime + after);
    voice.stop(audio.currentTime + 0.5);
  }
  setTimeout(() => audio.close(), 800);
}

// The user's settings in this browser. The first selected kind requests the permission to notify.
function showSettings() {
  const { kinds, sound, push } = loadSettings();
  for (const box of form.querySelectorAll("[name=kind]")) box.checked = kinds.includes(box.value) && allowed();
  form.elements.sound.checked = sound;
  form.elements.push.checked = push && allowed();
  form.elements.push.disabled = !("PushManager" in window) || !isSecureContext;
}

form?.addEventListener("change", async (event) => {
  const kinds = [...form.querySelectorAll("[name=kind]:checked")].map((box) => box.value);
  const settings = { kinds, sound: form.elements.sound.checked, push: form.elements.push.checked };
  if (event.target.name === "sound" && settings.sound) chime();
  if ((settings.push || event.target.name === "kind") && kinds.length && !(await mayNotify())) settings.kinds = [];
  localStorage.setItem(SETTINGS_KEY, JSON.stringify(settings));
  if (event.target.name !== "sound") await subscribe(settings);
  showSettings();
});

async function mayNotify() {
  if (!("Notification" in window)) {
    toast({
      text: "This browser allows notifications only for pages served over HTTPS or from localhost.",
      kind: "failed",
    });
    return false;
  }
  if (Notification.permission === "default") await Notification.requestPermission();
  if (!allowed())
    toast({
      text: "Notifications are blocked for this site.",
      hint: "Allow them in the browser's site settings.",
      kind: "failed",
    });
  return allowed();
}

async function subscribe({ kinds, push }) {
  if (!("serviceWorker" in navigator) || !allowed()) return;
  try {
    const worker = await navigator.serviceWorker.register("/worker.js");
    await navigator.serviceWorker.ready;
    let subscription = await worker.pushManager?.getSubscription();
    if (!push && !subscription) return;
    const { key } = await (await fetch("/push/key")).json();
    if (subscription && keyOf(subscription) !== key) subscription = (await subscription.unsubscribe()) && null;
    subscription ??= await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    const data = { subscription: subscription.toJSON(), kinds: push ? kinds : [] };
    if (!(await post("/push/subscribe", JSON.stringify(data)))) turnOffPush();
  } catch (error) {
    toast({ text: "Push notifications could not be enabled.", hint: String(error.message ?? error), kind: "failed" });
    turnOffPush();
  }
}

function turnOffPush() {
  localStorage.setItem(SETTINGS_KEY, JSON.stringify({ ...loadSettings(), push: false }));
}

// The server key that a subscription was created with. A subscription with another installation's key is useless here.
const keyOf = ({ options }) =>
  btoa(String.fromCharCode(...new Uint8Array(options.applicationServerKey)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

if (form) showSettings();
if (form && allowed() && "serviceWorker" in navigator && loadSettings().kinds.length) {
  navigator.serviceWorker.register("/worker.js").catch(() => {});
  // Renew it once per visit: the push service may have ended the subscription, or another user may have logged in.
  if (loadSettings().push && !sessionStorage.getItem(SETTINGS_KEY))
    subscribe(loadSettings()).then(() => sessionStorage.setItem(SETTINGS_KEY, "yes"));
}
