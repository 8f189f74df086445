// POST requests by fetch. Responses are handled as htmx does: the HX-Trigger header names the events to dispatch.
// Every failure is shown as a toast.
import { toast } from "./toasts.js";

// Resolve to whether the request succeeded.
export const send = async (path, values = {}) => (await post(path, new URLSearchParams(values))) !== null;

// Resolve to the response's JSON, to an empty object if it has no body, and to null after a failure.
// With `keepalive` the request outlives the page; its body may then have at most 64 kB.
export async function post(path, body, { keepalive = false } = {}) {
  const response = await request(path, body, keepalive);
  if (!response) {
    toast({ text: "The server did not respond.", hint: "Check your connection and try again.", kind: "failed" });
    fire("changed"); // Refresh, which reverts optimistic changes of the page.
    return null;
  }
  if (response.redirected) {
    location.reload(); // The login has expired: the reload leads to the login page.
    return null;
  }
  const events = JSON.parse(response.headers.get("HX-Trigger") || "{}");
  for (const [name, detail] of Object.entries(events)) fire(name, detail);
  const redirect = response.headers.get("HX-Redirect");
  if (redirect) location.assign(redirect);
  const data = await dataOf(response);
  if (response.ok && data) return data;
  if (!events.toast) explain(response, data);
  return null;
}

async function request(path, body, keepalive) {
  const headers = { "X-CSRFToken": document.body.dataset.csrf, "HX-Request": "true" };
  fire("send");
  try {
    return await fetch(path, { method: "POST", headers, body, keepalive });
  } catch {
    return null;
  } finally {
    fire("sent");
  }
}

// Resolve to null for a response that is not from this app, such as a proxy's page.
async function dataOf(response) {
  try {
    const text = await response.text();
    return text ? JSON.parse(text) : {};
  } catch {
    return null;
  }
}

function explain({ ok, status }, data) {
  if (data?.error) toast({ text: data.error, hint: data.hint, kind: "failed" });
  else if (ok)
    toast({
      text: "The response did not come from the server.",
      hint: "A proxy or its login page may have intercepted the request. Your text is still here. Try again.",
      kind: "failed",
    });
  else toast({ text: `The request failed (error ${status}).`, kind: "failed" });
}

function fire(name, detail = {}) {
  document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
}
