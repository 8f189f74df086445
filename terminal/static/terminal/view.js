// One terminal: connects the screen, the socket and the controls of templates/terminal/_screen.html. It is on a page of
// its own, or in the lower pane of a task's page.

import { toast } from "../aitask/toasts.js";
import { Banner } from "./banner.js";
import { Copies } from "./copies.js";
import { Files } from "./files.js";
import { makeFind } from "./find.js";
import { Keys } from "./keys.js";
import { Older } from "./older.js";
import { Paste } from "./paste.js";
import { makeScreen } from "./screen.js";
import { makeTouch } from "./touch.js";
import { makeWindows } from "./windows.js";
import { Wire } from "./wire.js";

const PROMPT_MS = 700; // Until a new shell shows its prompt. What is typed before would be shown twice.

// `options` has `nonce` for xterm.js's style sheets. It may have: `focus`, to focus the terminal; `savedOnly`, to show
// the saved history; `keys`, actions of Ctrl+Shift and a key; `onOpened`, called when a reload should show the session.
export async function mount(root, options) {
  const view = new View(root, options);
  await view.start();
  return view;
}

class View {
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.canType = false;
    // A phone does not change the size for other viewers until it is used for input.
    this.passive = matchMedia("(max-width: 640px), (pointer: coarse)").matches;
    this.hostError = ""; // Why the host is currently unavailable.
    this.selectedWindow = "";
    this.toType = root.dataset.typed || ""; // A command that the page types, and that the user sends.
    this.reported = { cols: 0, rows: 0 }; // The size that was last sent to the server.
    this.icons = this.part("link").querySelector("use").getAttribute("href").split("#")[0];
  }

  part(name) {
    return this.root.querySelector(`#term-${name}`);
  }

  async start() {
    const { root, options } = this;
    this.screen = await makeScreen(root, options.nonce, {
      type: (bytes) => this.type(bytes),
      answer: (text) => this.canType && this.wire.sendJson({ t: "answer", d: text }),
      capacityChanged: () => this.reportSize(),
      resized: (cols, rows) => this.resized(cols, rows),
    });
    this.term = this.screen.term;
    this.screen.fill();
    this.addParts();
    this.wire = new Wire(
      root.dataset.socket,
      () => this.parameters(),
      {
        message: (data) => MESSAGES[data.t]?.(this, data),
        bytes: (bytes, done) => this.screen.write(bytes, done),
        state: (name, unsure) => this.showState(name, unsure),
      },
      !options.savedOnly,
    );
    this.addControls();
    if (options.savedOnly) this.showSaved();
    if (options.focus) this.term.focus();
  }

  addParts() {
    const { term, root } = this;
    this.banner = new Banner(this.part("banner"), () => term.focus());
    this.older = new Older(term, this.part("older"), (lines) => this.wire.sendJson({ t: "history", lines }));
    this.touch = makeTouch(this.part("touch"), term, (bytes) => this.type(bytes));
    this.showWindows = makeWindows(this.part("windows"), (id, focus) => this.choose(id, focus));
    this.find = makeFind(this.part("find"), this.screen.addons.search, term, this.older);
    this.copies = new Copies(this.part("copied"), root.dataset, term, () => this.isLive);
    this.files = new Files(root, (id) => this.canType && this.wire.sendJson({ t: "file", id }));
    this.paste = new Paste(
      root,
      term,
      (text) => this.pasteNow(text),
      (files) => this.files.put(files),
    );
    this.keys = new Keys(this.part("clipboard"), term, this.copies, {
      newLine: () => this.newLine(),
      shifted: { KeyF: () => this.find.open(), ...this.options.keys },
    });
  }

  addControls() {
    const onClick = (name, action) => this.part(name)?.addEventListener("click", action);
    onClick("link", () => {
      this.banner.hide();
      if (this.wire.isTrying) this.wire.stop();
      else this.wire.start();
    });
    onClick("smaller", () => this.screen.changeFont(-1));
    onClick("larger", () => this.screen.changeFont(1));
    onClick("search", () => this.find.open());
    onClick("shell", () => this.openShell());
    onClick("take", () => {
      this.passive = false;
      this.reported = this.screen.capacity();
      this.wire.sendJson({ t: "resize", ...this.reported, looks: false });
    });
  }

  // Disconnect while the terminal is hidden. The session keeps running.
  pause() {
    this.wire.stop();
  }

  resume() {
    if (!this.wire.isTrying) {
      this.banner.hide();
      this.wire.start();
    }
    this.term.focus();
  }

  // Handle a key press outside of the terminal.
  pressed(event) {
    return this.keys.handle(event);
  }

  get isLive() {
    return this.canType && this.screen.questions.isResponder;
  }

  parameters() {
    this.reported = this.screen.capacity();
    const values = { ...this.reported, create: this.toType ? 1 : "ask" };
    if (this.passive) values.looks = 1;
    if (this.selectedWindow) values.window = this.selectedWindow;
    if (this.older.lines) values.lines = this.older.lines; // After a lost connection, show as many lines as before.
    return values;
  }

  choose(id, focus) {
    this.selectedWindow = id;
    this.wire.sendJson({ t: "window", id });
    if (focus) this.term.focus();
  }

  openShell() {
    if (!this.canType || !this.wire.sendJson({ t: "shell" })) return this.showNotSent();
    this.selectedWindow = ""; // The new window becomes the session's current one.
    this.term.focus();
  }

  type(bytes) {
    const data = this.touch.transform(bytes);
    this.sent(this.canType && this.wire.type(data));
  }

  typeCommand() {
    if (!this.toType || !this.canType) return;
    this.type(new TextEncoder().encode(this.toType));
    this.toType = "";
    this.options.onOpened?.();
    this.term.focus();
  }

  pasteNow(text) {
    this.sent(this.canType && this.wire.paste(text));
  }

  newLine() {
    this.sent(this.canType && this.wire.sendJson({ t: "newline" }));
  }

  sent(wasSent) {
    if (!wasSent) return this.showNotSent();
    if (this.passive) this.part("take").hidden = true;
    this.passive = false;
  }

  // Tell the user that input was not sent.
  showNotSent() {
    this.banner.refuse("Not connected. Your input was not sent.");
  }

  reportSize() {
    const size = this.screen.capacity();
    if (!this.canType || (size.cols === this.reported.cols && size.rows === this.reported.rows)) return;
    this.reported = size;
    this.wire.sendJson({ t: "resize", ...size, looks: this.passive });
  }

  resized(cols, rows) {
    this.part("size").textContent = `${cols}×${rows}`;
    const size = this.screen.capacity();
    this.part("take").hidden = !this.passive || (size.cols === cols && size.rows === rows);
  }

  // Show the session's actual name. It differs if a foreign session has the expected name, or after a rename.
  showName(session) {
    this.part("name").textContent = session;
    if (!/^[\w-]+$/.test(session)) return; // The name would need quoting for the shell and for tmux.
    const button = this.root.querySelector(".termbar [data-copy]");
    const command = button.dataset.copy.replace(/\S+$/, session);
    button.dataset.copy = command;
    button.title = `Copy: ${command}`;
    button.setAttribute("aria-label", `Copy ${command}`);
  }

  connected() {
    this.canType = true;
    this.hostError = "";
    this.wire.settled();
    this.setState("up", "connected", "circle-check");
    this.banner.hide();
    if (this.toType) setTimeout(() => this.typeCommand(), PROMPT_MS);
    this.reportSize(); // Tabs or a banner may have changed the available space.
  }

  showState(name, unsure) {
    this.canType = false;
    this.files.lost();
    const off = name === "off" || name === "down";
    if (name === "connecting") this.setState("", "connecting", "loader-circle");
    if (name === "down") {
      this.setState("down", "reconnecting", "cloud-off");
      const lost = unsure ? " Your last input may not have been received." : "";
      this.banner.show(
        "needs",
        `${this.hostError || "Connection lost. The session keeps running."}${lost} Reconnecting…`,
      );
    }
    if (name === "off" && this.banner.isHidden) {
      this.setState("off", "disconnected", "unplug");
      this.banner.show("", "Disconnected. The session keeps running.", "Reconnect", () => this.wire.start());
    }
    const link = this.part("link");
    link.title = off ? "Reconnect" : "Disconnect";
    link.setAttribute("aria-label", link.title);
    link.querySelector("use").setAttribute("href", `${this.icons}#${off ? "plug-zap" : "unplug"}`);
  }

  setState(kind, text, icon) {
    const badge = this.part("state");
    badge.className = `badge ${kind ? `link-${kind}` : "works"}`;
    badge.querySelector("span").textContent = text;
    badge.querySelector("use").setAttribute("href", `${this.icons}#${icon}`);
  }

  // The session does not exist, and opening it would create what the user may not expect.
  showGone({ history, creates }) {
    if (history) return this.showSaved({ isClosed: true, creates });
    this.wire.stop();
    this.setState("off", "not opened", "circle-slash");
    this.banner.show("", creates, "Create and open", () => this.wire.start({ create: 1 }));
    this.screen.fill(); // The banner has changed the available space.
    if (this.options.focus || this.root.contains(document.activeElement)) this.banner.button.focus();
  }

  // Show the saved history, because the session no longer exists or the user has requested it.
  async showSaved({ isClosed = false, creates = "" } = {}) {
    this.wire.stop();
    this.setState("off", "saved history", "clock");
    const prefix = isClosed ? "The session no longer exists. " : "";
    const label = isClosed ? "Open a new shell" : "Open the terminal";
    const suffix = creates ? ` ${creates}` : "";
    const open = () => {
      this.options.onOpened?.();
      this.term.reset();
      this.wire.start(isClosed ? { create: 1 } : {});
    };
    const show = (kind, text) => this.banner.show(kind, `${prefix}${text}${suffix}`, label, open);
    const response = await fetch(this.root.dataset.history);
    if (response.status === 404) return show("needs", "No history was saved.");
    if (!response.ok) return show("needs", "The saved history could not be loaded.");
    const saved = new Date(Number(response.headers.get("X-Saved-At")) * 1000);
    const bytes = new Uint8Array(await response.arrayBuffer());
    this.screen.reserve(bytes.reduce((lines, byte) => lines + (byte === 10), 0));
    show("", `Saved history from ${saved.toLocaleString()} (read-only).`);
    this.screen.fill(); // The banner has changed the available space.
    this.term.write(bytes, () => this.term.write("\x1b[?25l"));
  }
}

const MESSAGES = {
  snapshot(view, data) {
    view.older.beforeSnapshot(data);
    view.screen.reserve(data.lines);
    view.screen.resize(data.cols, data.rows);
    view.connected();
  },
  size: (view, { cols, rows }) => view.screen.resize(cols, rows),
  windows(view, { windows, session }) {
    view.showName(session);
    view.showWindows(windows);
    const shell = view.part("shell");
    if (shell) shell.hidden = windows.some(({ name }) => name === "shell");
  },
  role: (view, { answers }) => {
    view.screen.questions.isResponder = answers;
  },
  link(view, data) {
    if (data.state === "up") return view.connected();
    view.canType = false;
    view.setState("down", "link lost", "cloud-off");
    view.banner.show("needs", `${data.message} Reconnecting…`);
  },
  missed: (view) => view.showNotSent(),
  file(view, data) {
    view.files.typed(data);
    view.term.focus();
  },
  copied: (view, { text, size }) => view.copies.offer(text, size),
  exit(view, { reason }) {
    view.canType = false;
    view.setState("off", "ended", "circle-slash");
    view.wire.stop();
    view.banner.show("", `${reason} Its output stays here until you leave the page.`, "Open a new shell", () =>
      view.wire.start({ create: 1 }),
    );
  },
  gone: (view, data) => view.showGone(data),
  error(view, data) {
    if (data.kind === "notice") return toast({ text: data.message, kind: "failed" });
    view.canType = false;
    if (data.retry) {
      view.hostError = data.message;
      return;
    }
    view.setState("off", "failed", "circle-slash");
    view.banner.show("failed", data.message, "Try again", () => view.wire.start());
  },
};
