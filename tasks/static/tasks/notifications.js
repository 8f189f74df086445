// What the user wants to be notified of in this browser, and the browser's push subscription.
import { post } from "../aitask/send.js";
import { toast } from "../aitask/toasts.js";

const SETTINGS_KEY = "aitask-attention";

export const loadSettings = () =>
  JSON.parse(localStorage.getItem(SETTINGS_KEY) ?? '{"kinds":[],"sound":false,"push":false}');
export const saveSettings = (settings) => localStorage.setItem(SETTINGS_KEY, JSON.stringify(settings));
export const isAllowed = () => "Notification" in window && Notification.permission === "granted";

export function chime() {
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

export async function subscribe({ kinds, push }) {
  if (!("serviceWorker" in navigator) || !isAllowed()) return;
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
  saveSettings({ ...loadSettings(), push: false });
}

// The server key that a subscription was created with. A subscription with another installation's key is useless here.
const keyOf = ({ options }) =>
  btoa(String.fromCharCode(...new Uint8Array(options.applicationServerKey)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

// Once per visit: the push service may have ended the subscription, or another user may have logged in.
export function renew() {
  if (!isAllowed() || !("serviceWorker" in navigator) || !loadSettings().kinds.length) return;
  navigator.serviceWorker.register("/worker.js").catch(() => {});
  if (loadSettings().push && !sessionStorage.getItem(SETTINGS_KEY))
    subscribe(loadSettings()).then(() => sessionStorage.setItem(SETTINGS_KEY, "yes"));
}
