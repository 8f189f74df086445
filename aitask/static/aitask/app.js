// The script of every page: elapsed times, toasts, menus, dialogs, copy buttons, confirmation of destructive actions.
import "./times.js";
import "./menus.js";
import "./theme.js";
import { ask, openDialog } from "./dialogs.js";
import { onKeys } from "./keys.js";
import { toast } from "./toasts.js";

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    if (await copyText(copy.dataset.copy)) return toast({ text: "Copied.", kind: "good" });
    return toast({ text: "The browser did not allow copying.", kind: "failed" });
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) openDialog(opener.dataset.opens);
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  event.target.closest("[data-dismiss]")?.closest(".toast").remove();
});

// Resolve to whether the text was copied.
export async function copyText(text) {
  if (!navigator.clipboard) return copyBySelection(text); // It exists only with HTTPS or on localhost.
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => copyBySelection(text),
  );
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const place = document.querySelector("dialog[open]") ?? document.body; // Everything else is inert then.
  const box = place.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus();
  return done;
}

// Confirmation dialogs: htmx requests with hx-confirm, and plain forms with data-confirm.
document.addEventListener("htmx:confirm", (event) => {
  const { ctx, issueRequest, dropRequest } = event.detail;
  if (!ctx.confirm) return;
  event.preventDefault();
  ask(ctx.confirm, ctx.sourceElement.dataset).then((yes) => (yes ? issueRequest() : dropRequest()));
});
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  if (!(await ask(form.dataset.confirm, form.dataset))) return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(event.submitter ?? undefined);
});

// Ignore a second submit while the first request is pending, so that the action is not executed twice.
let pending = new WeakSet();
document.addEventListener(
  "submit",
  (event) => {
    if (!pending.has(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  { capture: true },
);
addEventListener(
  "submit",
  ({ target, defaultPrevented }) => defaultPrevented || target.method !== "post" || pending.add(target),
);
addEventListener("pageshow", () => {
  pending = new WeakSet();
}); // Restored from the back/forward cache.
document.addEventListener(
  "htmx:before:request",
  ({ detail: { ctx } }) => ctx.request.method !== "GET" && pending.add(ctx.sourceElement),
);
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => pending.delete(ctx.sourceElement));

// htmx would copy the style attribute of a resized textarea to its replacement, which the CSP forbids: remove it first.
document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
  for (const box of ctx.target?.querySelectorAll?.("textarea[style]") ?? []) box.removeAttribute("style");
});

// Open a dialog when its content has arrived from the server. Not when only a part of it is updated: the user may
// have closed it in the meantime.
document.addEventListener("htmx:after:swap", (event) => {
  const dialog = event.detail.ctx.target;
  if (dialog?.matches?.("dialog[data-opens-filled]") && !dialog.open && dialog.childElementCount) dialog.showModal();
});

document.addEventListener("toast", (event) => toast(event.detail));
document.addEventListener("close-dialogs", () => {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
});
document.addEventListener("htmx:response:error", (event) => {
  const { status, headers } = event.detail.ctx.response;
  if (headers.get("HX-Trigger") || status === 422) return; // The response has its own message.
  const messages = {
    403: "You don't have permission, or this page is out of date. Reload the page and try again.",
    404: "This no longer exists.",
    409: "This can't be done right now.",
  };
  toast({ text: messages[status] ?? `The request failed (error ${status}).`, kind: "failed" });
});
document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.quiet) return;
  toast({ text: "The server did not respond.", hint: "Check your connection and try again.", kind: "failed" });
});

// When the login has expired, requests are redirected to the login page. Reload instead of swapping it in.
document.addEventListener("htmx:before:swap", (event) => {
  if (!event.detail.ctx.response?.raw.redirected) return;
  event.preventDefault();
  location.reload();
});

// Keep <details> as the user left them (open or closed) when a part of the page is updated.
htmx.registerExtension("folds", {
  htmx_before_morph_attr: (element, { attrName }) => !(element.localName === "details" && attrName === "open"),
});

// A progress line at the top while a request that the user has caused is pending.
let requests = 0;
const countRequests = (by) => {
  requests = Math.max(0, requests + by);
  document.documentElement.toggleAttribute("data-busy", requests > 0);
};
document.addEventListener("htmx:before:request", (event) => event.detail.ctx.quiet || countRequests(1));
document.addEventListener("htmx:finally:request", (event) => event.detail.ctx.quiet || countRequests(-1));
document.addEventListener("send", () => countRequests(1));
document.addEventListener("sent", () => countRequests(-1));

onKeys({
  "?": () => openDialog("keys"),
  "g b": () => location.assign("/"),
  "g i": () => location.assign("/inbox"),
  "g u": () => location.assign("/usage"),
  "g w": () => location.assign("/workspaces"),
  "g s": () => location.assign("/account/settings"),
  "g h": () => location.assign("/help"),
  "g t": () => document.getElementById("nav-terminals")?.click(), // Only there with the permission.
  "g /": () => location.assign("/search"),
});
