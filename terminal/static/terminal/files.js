// Files that are pasted or dropped into a terminal: they are uploaded, put on the host, and their paths are typed. The
// user sends the line; nothing is executed here.
import { toast } from "../aitask/toasts.js";

const NO_TASK = "Files can only be given to the terminal of a task.";
const NO_TASK_HINT = "They are kept with a task, and removed with it. Copy the file to the host yourself instead.";
const LOST = "The server did not respond.";

export class Files {
  // `place(id)` asks the server to put an uploaded file on the host; it returns whether that could be asked.
  constructor(root, place) {
    this.task = root.dataset.task;
    this.host = root.dataset.hostLabel;
    this.place = place;
    this.waiting = new Map(); // By the id of an uploaded file: what to call when its path is typed.
    this.last = Promise.resolve();
    const room = root.querySelector("#term-room");
    room.addEventListener("dragover", (event) => this.over(event, room));
    room.addEventListener("dragleave", () => room.classList.remove("dropping"));
    room.addEventListener("drop", (event) => this.dropped(event, room));
    const picker = root.querySelector("#term-picker");
    root.querySelector("#term-file")?.addEventListener("click", () => picker.click());
    picker?.addEventListener("change", () => {
      this.put([...picker.files]);
      picker.value = "";
    });
  }

  over(event, room) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    room.classList.add("dropping");
  }

  dropped(event, room) {
    room.classList.remove("dropping");
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.put([...event.dataTransfer.files]);
  }

  // One after the other, so that the paths are typed in this order.
  put(files) {
    if (!this.task) return toast({ text: NO_TASK, hint: NO_TASK_HINT, kind: "failed" });
    for (const file of files) this.last = this.last.then(() => this.putOne(file));
  }

  async putOne(file) {
    const name = file.name || "picture";
    const note = toast({ text: `Uploading ${name}…`, stays: true });
    const say = (text) => (note.querySelector("p").textContent = text);
    try {
      const { id } = await this.upload(file, name, (percent) => say(`Uploading ${name}: ${percent} %`));
      say(`Copying ${name} to ${this.host}…`);
      await this.type(id);
    } catch ({ message, hint }) {
      toast({ text: `${name}: ${message}`, hint, kind: "failed" });
    }
    note.remove();
  }

  upload(file, name, progress) {
    const body = new FormData();
    body.append("task", this.task);
    body.append("in_prompt", "false");
    body.append("file", file, name);
    const request = new XMLHttpRequest();
    request.open("POST", "/api/attachments");
    request.setRequestHeader("X-CSRFToken", document.body.dataset.csrf);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(Math.floor((event.loaded / event.total) * 100));
    });
    return new Promise((resolve, reject) => {
      request.addEventListener("load", () => {
        const { status } = request;
        const data = parsed(request.responseText);
        if (status >= 200 && status < 300 && data.id) resolve(data);
        else reject({ message: data.detail || `The upload failed (error ${status}).`, hint: data.hint });
      });
      request.addEventListener("error", () => reject({ message: LOST, hint: "Check your connection and try again." }));
      request.send(body);
    });
  }

  type(id) {
    return new Promise((resolve, reject) => {
      if (!this.place(id)) return reject({ message: "Not connected. Nothing was typed." });
      this.waiting.set(id, { resolve, reject });
    });
  }

  // The server has answered.
  typed({ id, error }) {
    const { resolve, reject } = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error) reject?.({ message: error });
    else resolve?.();
  }

  // The connection is lost: whether the paths were typed is not known.
  lost() {
    for (const { reject } of this.waiting.values()) reject({ message: "The connection was lost." });
    this.waiting.clear();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
