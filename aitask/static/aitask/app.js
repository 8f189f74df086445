// What every page does: times that run, toasts, menus, dialogs, copy buttons, questions before destructive verbs.
import "./times.js";
import "./menus.js";
import { ask, openDialog } from "./dialogs.js";
import { onKeys } from "./keys.js";
import { toast } from "./toasts.js";

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await copyText(copy.dataset.copy);
    return toast({ text: "Copied.", kind: "good" });
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) openDialog(opener.dataset.opens);
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  event.target.closest("[data-dismiss]")?.closest(".toast").remove();
});

export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const box = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
  box.select();
  document.execCommand("copy"); // The only way on a page that is not served by HTTPS or loopback.
  box.remove();
}

// htmx asks before a request that has hx-confirm; plain forms say data-confirm.
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

// A second press while the first is on its way is none: it would be done once more.
let sending = new WeakSet();
document.addEventListener(
  "submit",
  (event) => {
    if (!sending.has(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  { capture: true },
);
addEventListener(
  "submit",
  ({ target, defaultPrevented }) => defaultPrevented || target.method !== "post" || sending.add(target),
);
addEventListener("pageshow", () => {
  sending = new WeakSet();
}); // Back from where it led.
document.addEventListener(
  "htmx:before:request",
  ({ detail: { ctx } }) => ctx.request.method !== "GET" && sending.add(ctx.sourceElement),
);
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => sending.delete(ctx.sourceElement));

// htmx would write the height that a person has pulled a box to into its successor, which the site's policy forbids.
document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
  for (const box of ctx.target?.querySelectorAll?.("textarea[style]") ?? []) box.removeAttribute("style");
});

// A dialog whose content comes from the server opens when it has arrived, but not when a part of it is brought
// up to date: a person may have closed it meanwhile.
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
  if (headers.get("HX-Trigger") || status === 422) return; // The server has said it itself.
  const known = {
    403: "You may not do that, or this page is too old: reload it.",
    404: "That is not there any more.",
    409: "That can't be done now.",
  };
  toast({ text: known[status] ?? `The server could not do that (error ${status}).`, kind: "failed" });
});
document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.quiet) return;
  toast({ text: "The server did not answer.", hint: "Nothing was changed. Try again in a moment.", kind: "failed" });
});

// The answer to a request after the login has ended is the login page: go there instead of showing it here.
document.addEventListener("htmx:before:swap", (event) => {
  if (!event.detail.ctx.response?.raw.redirected) return;
  event.preventDefault();
  location.reload();
});

// What a person has folded stays folded when a part of the page is brought up to date.
htmx.registerExtension("folds", {
  htmx_before_morph_attr: (element, { attrName }) => !(element.localName === "details" && attrName === "open"),
});

// A line at the top for every wait that a person has caused and that takes longer than a moment.
let waits = 0;
const wait = (by) => {
  waits = Math.max(0, waits + by);
  document.documentElement.toggleAttribute("data-busy", waits > 0);
};
document.addEventListener("htmx:before:request", (event) => event.detail.ctx.quiet || wait(1));
document.addEventListener("htmx:finally:request", (event) => event.detail.ctx.quiet || wait(-1));
document.addEventListener("send", () => wait(1));
document.addEventListener("sent", () => wait(-1));

onKeys({
  "?": () => openDialog("keys"),
  "g b": () => location.assign("/"),
  "g i": () => location.assign("/inbox"),
  "g u": () => location.assign("/usage"),
  "g w": () => location.assign("/workspaces"),
});
