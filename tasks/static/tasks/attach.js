// Files for agents: pasted, dropped or chosen. They are uploaded at once; the hidden field of the form has what was
// uploaded, and belongs to the form's draft.
const LOST = "The server did not respond.";
const picker = (part) => part.querySelector("[data-picker]");
const fieldOf = (part) => part.querySelector("input[name=attachments]");
const partOf = (element) => element?.closest?.("form")?.querySelector("[data-attach]");
const uploads = new WeakMap(); // By part: the uploads that are not complete.

const read = (part) => JSON.parse(fieldOf(part).value || "[]");

function write(part, files) {
  const field = fieldOf(part);
  field.value = files.length ? JSON.stringify(files) : "";
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// Show what the field has; uploads that are under way stay.
export function draw(part) {
  const list = part.querySelector("ul");
  const going = uploads.get(part) ?? [];
  list.replaceChildren(...read(part).map((file) => chipOf(part, file)), ...going.map((upload) => upload.chip));
  list.hidden = !list.children.length;
  part.dispatchEvent(new CustomEvent("attached", { bubbles: true }));
}

function element(tag, css, text = "") {
  return Object.assign(document.createElement(tag), { className: css, textContent: text });
}

function chipOf(part, file) {
  const chip = element("li", "chip");
  if (file.kind === "picture") {
    const image = element("img", "");
    image.src = `/attachments/${file.id}/thumbnail`;
    image.alt = "";
    chip.append(image);
  }
  chip.append(element("span", "cut", file.name), element("span", "dim", file.text ?? ""));
  chip.append(
    button(`Remove ${file.name}`, "×", () => {
      const left = read(part).filter(({ id }) => id !== file.id);
      write(part, left);
      draw(part);
      say(part, `Removed ${file.name}.`);
      leave(part);
    }),
  );
  if (file.note) chip.append(element("span", "told", file.note));
  return chip;
}

// A file that was sent: a thumbnail that opens larger, or a link.
export function fileOf({ id, name, text, kind }) {
  const item = element("li", "");
  const link = item.appendChild(element("a", kind === "picture" ? "thumb" : "chip"));
  link.href = `/attachments/${id}`;
  link.title = `${name}, ${text}`;
  if (kind === "picture") {
    link.dataset.view = `/attachments/${id}/view`;
    link.append(Object.assign(element("img", ""), { src: `/attachments/${id}/thumbnail`, alt: name }));
  } else {
    link.download = "";
    link.append(element("span", "cut", name), element("span", "dim", text));
  }
  return item;
}

function button(label, text, act) {
  const made = element("button", "button quiet tiny", text);
  made.type = "button";
  made.ariaLabel = label;
  made.title = label;
  made.addEventListener("click", act);
  return made;
}

// The button that had the focus is gone.
const leave = (part) => (part.querySelector("li button") ?? part.closest("form").querySelector("textarea"))?.focus();

const say = (part, text) => (part.querySelector("[role=status]").textContent = text);

function sizeOf(bytes) {
  return bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1024))} KB`;
}

export function add(part, files) {
  for (const file of files) start(part, file);
}

function start(part, file) {
  const name = file.name || "picture.png";
  const upload = { chip: element("li", "chip"), name };
  uploads.set(part, [...(uploads.get(part) ?? []), upload]);
  const bar = Object.assign(element("progress", ""), { max: 100, value: 0 });
  bar.ariaLabel = `Uploading ${name}`;
  upload.chip.append(element("span", "cut", name), element("span", "dim", sizeOf(file.size)), bar);
  draw(part);
  if (file.size > Number(part.dataset.most))
    return fail(part, upload, file, `It is too large: the limit is ${part.dataset.mostMb} MB a file.`, false);
  say(part, `Uploading ${name}.`);
  const request = send(file, name, (percent) => (bar.value = percent));
  upload.cancel = () => request.abort();
  upload.chip.append(button(`Cancel the upload of ${name}`, "×", () => drop(part, upload, true)));
  request.addEventListener("load", () => answered(part, upload, file, request));
  request.addEventListener("error", () => fail(part, upload, file, LOST, true));
}

function send(file, name, progress) {
  const body = new FormData();
  body.append("file", file, name);
  const request = new XMLHttpRequest();
  request.open("POST", "/api/attachments");
  request.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
  request.upload.addEventListener("progress", ({ lengthComputable, loaded, total }) => {
    if (lengthComputable) progress(Math.floor((loaded / total) * 100));
  });
  request.send(body);
  return request;
}

function answered(part, upload, file, request) {
  const data = parsed(request.responseText);
  if (request.status === 201 && data.id) {
    uploads.set(
      part,
      uploads.get(part).filter((each) => each !== upload),
    );
    const { id, name, size, kind, note } = data;
    write(part, [...read(part), { id, name, size, kind, note, text: sizeOf(size) }]);
    draw(part);
    return say(part, [`Attached ${name}.`, note].filter(Boolean).join(" "));
  }
  const reason = typeof data.detail === "string" ? data.detail : `The upload failed (error ${request.status}).`;
  fail(part, upload, file, [reason, data.hint].filter(Boolean).join(" "), request.status >= 500 || !data.detail);
}

// The reason stays at the file until it is removed or tried again.
function fail(part, upload, file, reason, again) {
  const { chip, name } = upload;
  upload.failed = true;
  chip.classList.add("is-failed");
  chip.replaceChildren(element("span", "cut", name), element("span", "why", reason));
  if (again)
    chip.append(
      button(`Upload ${name} again`, "Try again", () => {
        drop(part, upload, false);
        start(part, file);
      }),
    );
  chip.append(button(`Remove ${name}`, "×", () => drop(part, upload, true)));
  say(part, `${name}: ${reason}`);
}

function drop(part, upload, moves) {
  upload.cancel?.();
  uploads.set(
    part,
    (uploads.get(part) ?? []).filter((each) => each !== upload),
  );
  draw(part);
  if (moves) leave(part);
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

// Whether files are still being uploaded.
export const isBusy = (part) => (uploads.get(part) ?? []).some((upload) => !upload.failed);
export const hasFiles = (part) => read(part).length > 0;

// Files stay with the form until they are sent.
export function clear(part) {
  write(part, []);
  draw(part);
}

export function put(part, files) {
  write(part, files);
  draw(part);
}

export const filesOf = read;

document.addEventListener("click", ({ target }) => {
  const part = target.closest("[data-choose]") && partOf(target);
  if (part) picker(part).click();
});

document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-picker]")) return;
  add(target.closest("[data-attach]"), [...target.files]);
  target.value = "";
});

// A paste of text stays text, also if the program that it comes from adds a picture of it. The name of a copied file is
// no text.
document.addEventListener("paste", (event) => {
  const part = partOf(event.target);
  const files = [...(event.clipboardData?.files ?? [])];
  if (!part || !files.length) return;
  const lines = event.clipboardData
    .getData("text/plain")
    .split("\n")
    .map((line) => line.trim());
  const isText = lines.some((line) => line && !files.some(({ name }) => line.endsWith(name)));
  if (isText) return;
  event.preventDefault();
  add(part, files);
});

// Where a file that is dropped here goes: the form, else the open dialog's, else the message box.
function targetOf({ target, defaultPrevented }) {
  if (defaultPrevented || target.closest?.("#term-room")) return null;
  const form = target.closest?.("form");
  const open = document.querySelector("dialog[open] form:has([data-attach])");
  return partOf(form) ?? (open ? partOf(open) : partOf(document.getElementById("say")));
}

const hasDropped = (event) => event.dataTransfer?.types.includes("Files");
const unmark = () => {
  for (const form of document.querySelectorAll(".is-dropping")) form.classList.remove("is-dropping");
};

document.addEventListener("dragover", (event) => {
  if (!hasDropped(event) || event.defaultPrevented) return;
  event.preventDefault(); // The browser would leave the page for the file.
  const part = targetOf({ target: event.target });
  event.dataTransfer.dropEffect = part ? "copy" : "none";
  unmark();
  part?.closest("form").classList.add("is-dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) unmark();
});
document.addEventListener("drop", (event) => {
  unmark();
  if (!hasDropped(event) || event.defaultPrevented) return;
  event.preventDefault();
  const part = targetOf({ target: event.target });
  if (part) add(part, [...event.dataTransfer.files]);
});

// A form is not sent, and its page not left, while one of its files is on its way. Then this says so.
export function mustWait(part) {
  if (!part || !isBusy(part)) return false;
  say(part, "Wait until the files are uploaded.");
  part.classList.add("is-busy");
  part.addEventListener("attached", () => part.classList.remove("is-busy"), { once: true });
  return true;
}

document.addEventListener(
  "submit",
  (event) => {
    if (!mustWait(partOf(event.target))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);

// A picture is shown in a dialog; without scripts the link is a download.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-view]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const dialog = element("dialog", "picture");
  dialog.ariaLabel = link.querySelector("img").alt;
  const image = Object.assign(element("img", ""), { src: link.dataset.view, alt: dialog.ariaLabel });
  const save = Object.assign(element("a", "button", "Download"), { href: link.href, download: "" });
  const close = button("Close", "Close", () => dialog.close());
  close.className = "button";
  const foot = element("footer", "");
  foot.append(element("span", "cut grow", dialog.ariaLabel), save, close);
  dialog.append(image, foot);
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
});

// A picture that can't be shown says why, as the server does.
const THUMBNAILS = ".attached-files .thumb > img";

async function explain(image) {
  const response = await fetch(image.src).catch(() => null);
  if (response?.ok) return;
  const isText = response?.headers.get("Content-Type")?.startsWith("text/plain");
  const words = isText ? (await response.text()).slice(0, 200) : "This picture can't be shown.";
  const chip = element("span", "chip");
  chip.append(element("span", "why", words));
  image.closest(".thumb")?.replaceWith(chip);
}

document.addEventListener("error", ({ target }) => target.matches?.(THUMBNAILS) && explain(target), true);
for (const image of document.querySelectorAll(THUMBNAILS)) if (image.complete && !image.naturalWidth) explain(image); // It has failed before this script was there.

const ready = (root) => {
  for (const part of root.querySelectorAll("[data-attach]")) draw(part);
};
ready(document);
document.addEventListener("htmx:after:swap", (event) => {
  const dialog = event.detail.ctx.target?.closest?.("dialog");
  if (dialog) ready(dialog);
});
document.addEventListener("created", () => {
  const part = document.querySelector("#new-task-form [data-attach]");
  if (part) clear(part);
});
