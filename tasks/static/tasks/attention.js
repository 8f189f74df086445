// What calls for a person, on every page: the count in the navigation, title and icon; notifications and a sound.
import { post } from "../aitask/send.js";
import { connect } from "../aitask/socket.js";
import { toast } from "../aitask/toasts.js";

const badge = document.getElementById("needs-count");
const form = document.getElementById("attention");
const icon = document.querySelector("link[rel=icon]");
const plain = icon?.href;
const OTHERS_FIRST = 400; // Milliseconds by which a page that nobody looks at lets the one that is seen go first.
const KEPT = "aitask-attention";
const TOLD = "aitask-told";
const HEARD = "aitask-heard";
const COUNT = /^\((\d+)\) /; // As a title begins with it.
let count = Number(COUNT.exec(document.title)?.[1] ?? 0);
let words = document.title.replace(COUNT, "");

const wishes = () => JSON.parse(localStorage.getItem(KEPT) ?? '{"kinds":[],"sound":false,"push":false}');
const allowed = () => "Notification" in window && Notification.permission === "granted";
const seen = () => document.visibilityState === "visible" && document.hasFocus();

// A page without a navigation, such as an error's, counts nothing.
if (badge) {
  connect("/ws/attention", {
    open: (send) => send({ t: "from", after: Number(sessionStorage.getItem(HEARD)) || null }),
    message: (data) => {
      if (data.t !== "attention") return;
      count = data.count;
      showCount();
      sessionStorage.setItem(HEARD, data.last);
      if (told() > data.last) localStorage.setItem(TOLD, data.last); // another installation had this address
      for (const news of data.news) setTimeout(() => tell(news), seen() ? 0 : OTHERS_FIRST);
    },
  });
}

function showCount() {
  badge.hidden = !count;
  badge.textContent = count;
  badge.setAttribute("aria-label", `${count} open requests`);
  showTitle();
  if (icon) icon.href = count ? `data:image/svg+xml,${encodeURIComponent(counted(count))}` : plain;
}

function showTitle() {
  document.title = count ? `(${count}) ${words}` : words;
}

// The page is called something else now. Nothing else writes the title.
export function nameTitle(text) {
  words = text;
  showTitle();
}

// htmx takes the title of a page that it was answered with.
document.addEventListener("htmx:finally:swap", ({ detail: { ctx } }) => {
  if (ctx.title) nameTitle(document.title.replace(COUNT, ""));
});

const counted = (number) => `
  <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
    <rect width="32" height="32" rx="8" fill="#e0a030"/>
    <text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-weight="700"
          font-size="${number > 9 ? 17 : 21}" fill="#1c1d1b">${Math.min(number, 99)}</text>
  </svg>`;

const told = () => Number(localStorage.getItem(TOLD) ?? 0);

// Each thing is told by one page only, and by none when the person is looking at it.
function tell(news) {
  const once = () => {
    if (told() >= news.id) return;
    localStorage.setItem(TOLD, news.id);
    if (seen() && looksAt(news)) return;
    if (!wishes().kinds.includes(news.kind)) return;
    notify(news);
    if (wishes().sound) chime();
  };
  navigator.locks ? navigator.locks.request("aitask-attention", once) : once();
}

const looksAt = (news) =>
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

// The person's wishes, in this browser. Permission is asked for when the first kind is chosen.
function showWishes() {
  const { kinds, sound, push } = wishes();
  for (const box of form.querySelectorAll("[name=kind]")) box.checked = kinds.includes(box.value) && allowed();
  form.elements.sound.checked = sound;
  form.elements.push.checked = push && allowed();
  form.elements.push.disabled = !("PushManager" in window) || !isSecureContext;
}

form?.addEventListener("change", async (event) => {
  const kinds = [...form.querySelectorAll("[name=kind]:checked")].map((box) => box.value);
  const wished = { kinds, sound: form.elements.sound.checked, push: form.elements.push.checked };
  if (event.target.name === "sound" && wished.sound) chime();
  if ((wished.push || event.target.name === "kind") && kinds.length && !(await mayNotify())) wished.kinds = [];
  localStorage.setItem(KEPT, JSON.stringify(wished));
  if (event.target.name !== "sound") await subscribe(wished);
  showWishes();
});

async function mayNotify() {
  if (!("Notification" in window)) {
    toast({
      text: "This browser shows notifications only for pages served by HTTPS or from this machine.",
      kind: "failed",
    });
    return false;
  }
  if (Notification.permission === "default") await Notification.requestPermission();
  if (!allowed())
    toast({
      text: "Notifications are blocked for this page.",
      hint: "Allow them in the browser's settings of this site.",
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
    const wished = { subscription: subscription.toJSON(), kinds: push ? kinds : [] };
    if (!(await post("/push/subscribe", JSON.stringify(wished)))) forgetPush();
  } catch (error) {
    toast({ text: "The browser's push service can't be used.", hint: String(error.message ?? error), kind: "failed" });
    forgetPush();
  }
}

function forgetPush() {
  localStorage.setItem(KEPT, JSON.stringify({ ...wishes(), push: false }));
}

// The server's key that a subscription was made with; that of another installation is of no use to this one.
const keyOf = ({ options }) =>
  btoa(String.fromCharCode(...new Uint8Array(options.applicationServerKey)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

if (form) showWishes();
if (form && allowed() && "serviceWorker" in navigator && wishes().kinds.length) {
  navigator.serviceWorker.register("/worker.js").catch(() => {});
  // Once per visit: the push service may have ended the subscription, and another person may be logged in.
  if (wishes().push && !sessionStorage.getItem(KEPT))
    subscribe(wishes()).then(() => sessionStorage.setItem(KEPT, "yes"));
}
