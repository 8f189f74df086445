// Every request by fetch that changes something. The answer is handled as htmx does it: the HX-Trigger header says
// what the page should do. A failure is always shown.
import { toast } from "./toasts.js";

// Whether the server has done it.
export const send = async (path, values = {}) => (await post(path, new URLSearchParams(values))) !== null;

// Resolves to the JSON of the answer, an empty object where the answer has no body, and null after a failure.
// `keepalive` lets the request outlive the page, but its body may have no more than 64 kB.
export async function post(path, body, { keepalive = false } = {}) {
  const response = await request(path, body, keepalive);
  if (!response) {
    toast({ text: "The server did not answer.", hint: "Nothing was changed.", kind: "failed" });
    fire("changed"); // What the page has moved in advance goes back to its place.
    return null;
  }
  if (response.redirected) {
    location.reload(); // The login has ended: the page itself asks for it.
    return null;
  }
  const events = JSON.parse(response.headers.get("HX-Trigger") || "{}");
  for (const [name, detail] of Object.entries(events)) fire(name, detail);
  const away = response.headers.get("HX-Redirect");
  if (away) location.assign(away);
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

// null for what is no answer of this app's to a verb, such as a proxy's page.
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
      text: "The answer did not come from the server.",
      hint: "A proxy or its login page may be in between. What you typed is still here: try again.",
      kind: "failed",
    });
  else toast({ text: `The server could not do that (error ${status}).`, kind: "failed" });
}

function fire(name, detail = {}) {
  document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
}
