// The form for notifications on the settings page. The first selected kind requests the permission to notify.
import { toast } from "../aitask/toasts.js";
import { chime, isAllowed, loadSettings, saveSettings, subscribe } from "./notifications.js";

const form = document.getElementById("notifications");

function show() {
  const { kinds, sound, push } = loadSettings();
  for (const box of form.querySelectorAll("[name=kind]")) box.checked = kinds.includes(box.value) && isAllowed();
  form.elements.sound.checked = sound;
  form.elements.push.checked = push && isAllowed();
  form.elements.push.disabled = !("PushManager" in window) || !isSecureContext;
}

form.addEventListener("change", async (event) => {
  const kinds = [...form.querySelectorAll("[name=kind]:checked")].map((box) => box.value);
  const settings = { kinds, sound: form.elements.sound.checked, push: form.elements.push.checked };
  if (event.target.name === "sound" && settings.sound) chime();
  if ((settings.push || event.target.name === "kind") && kinds.length && !(await mayNotify())) settings.kinds = [];
  saveSettings(settings);
  if (event.target.name !== "sound") await subscribe(settings);
  show();
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
  if (!isAllowed())
    toast({
      text: "Notifications are blocked for this site.",
      hint: "Allow them in the browser's site settings.",
      kind: "failed",
    });
  return isAllowed();
}

show();
