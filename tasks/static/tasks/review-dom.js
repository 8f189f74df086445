// What the parts of the review page share: making elements, and verbs by fetch.
import { toast } from "../aitask/toasts.js";

export function make(name, css = "", text = "") {
  const made = document.createElement(name);
  if (css) made.className = css;
  if (text) made.textContent = text;
  return made;
}

// `keepalive` sends it even when the page is left at once, but no more than 64 kB.
export async function post(url, body, { keepalive = false } = {}) {
  const headers = { "X-CSRFToken": document.body.dataset.csrf, "HX-Request": "true" };
  const response = await fetch(url, { method: "POST", headers, body, keepalive });
  const events = JSON.parse(response.headers.get("HX-Trigger") ?? "{}");
  if (events.toast) toast(events.toast);
  if (response.ok && "changed" in events) document.body.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
  return response;
}
