// A verb by fetch, answered like htmx does it: the HX-Trigger header carries what the page should do.
export async function send(path, values = {}) {
  let response;
  fire("send");
  try {
    response = await fetch(path, {
      method: "POST",
      body: new URLSearchParams(values),
      headers: { "X-CSRFToken": document.body.dataset.csrf, "HX-Request": "true" },
    });
  } catch {
    fire("toast", { text: "The server did not answer.", hint: "Nothing was changed.", kind: "failed" });
    fire("changed");
    return false;
  } finally {
    fire("sent");
  }
  if (response.redirected) return location.reload();
  const events = JSON.parse(response.headers.get("HX-Trigger") || "{}");
  for (const [name, detail] of Object.entries(events)) fire(name, detail);
  const away = response.headers.get("HX-Redirect");
  if (away) location.assign(away);
  if (!response.ok && !events.toast)
    fire("toast", { text: `The server could not do that (error ${response.status}).`, kind: "failed" });
  return response.ok;
}

function fire(name, detail = {}) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}
