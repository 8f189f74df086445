// The page of one session: connects the screen, the socket and the controls.

import { copyText } from "../aitask/app.js";
import { toast } from "../aitask/toasts.js";
import { makeFind } from "./find.js";
import { Older } from "./older.js";
import { makeScreen } from "./screen.js";
import { step } from "./sessions.js";
import { makeTouch } from "./touch.js";
import { makeWindows } from "./windows.js";
import { Wire } from "./wire.js";

const root = document.getElementById("screen");
const part = (id) => document.getElementById(id);
const phone = matchMedia("(max-width: 640px), (pointer: coarse)");
const drawer = matchMedia("(max-width: 800px)"); // The sidebar covers the terminal.
const icons = document.querySelector("#link use").getAttribute("href").split("#")[0];
const savedOnly = new URLSearchParams(location.search).has("saved"); // The page was opened for the saved history.
const PROMPT_MS = 700; // Until a new shell shows its prompt. What is typed before would be shown twice.
let toType = root.dataset.typed || ""; // A command that the page types, and that the user sends.
let canType = false;
let passive = phone.matches; // A phone does not change the size for other viewers until it is used for input.
let hostError = ""; // Why the host is currently unavailable.
let selectedWindow = "";
let reported = { cols: 0, rows: 0 }; // The size that was last sent to the server.

const screen = await makeScreen(root, { type, answer, capacityChanged: reportSize, resized });
export const { term } = screen;
screen.fill();
const older = new Older(term, part("older"), (lines) => wire.sendJson({ t: "history", lines }));
const touch = makeTouch(part("touch"), term, (bytes) => type(bytes));
const showWindows = makeWindows(part("windows"), (id, focus) => {
  selectedWindow = id;
  wire.sendJson({ t: "window", id });
  if (focus) term.focus();
});
const find = makeFind(part("find"), screen.addons.search, term, older);
const wire = new Wire(
  root.dataset.socket,
  parameters,
  { message, bytes: (bytes, done) => screen.write(bytes, done), state },
  !savedOnly,
);

function parameters() {
  reported = screen.capacity();
  const values = { ...reported, create: toType ? 1 : "unless-history" };
  if (passive) values.looks = 1;
  if (selectedWindow) values.window = selectedWindow;
  if (older.lines) values.lines = older.lines; // After a lost connection, the page shows as many lines as before.
  return values;
}

function type(bytes) {
  const data = touch.transform(bytes);
  if (!canType || !wire.type(data)) return showNotSent();
  takeControl();
}

function typeCommand() {
  if (!toType || !canType) return;
  type(new TextEncoder().encode(toType));
  toType = "";
  history.replaceState(null, "", location.pathname); // A reload does not type it again.
  screen.term.focus();
}

function answer(text) {
  if (canType) wire.sendJson({ t: "answer", d: text });
}

// Tell the user that input was not sent.
function showNotSent() {
  const banner = part("banner");
  if (banner.hidden) showBanner("needs", "Not connected. Your input was not sent.");
  banner.classList.remove("refuses");
  void banner.offsetWidth; // Restarts the animation.
  banner.classList.add("refuses");
}

function takeControl() {
  if (passive) part("take").hidden = true;
  passive = false;
}

function reportSize() {
  const size = screen.capacity();
  if (!canType || (size.cols === reported.cols && size.rows === reported.rows)) return;
  reported = size;
  wire.sendJson({ t: "resize", ...size, looks: passive });
}

function resized(cols, rows) {
  part("size").textContent = `${cols}×${rows}`;
  const size = screen.capacity();
  part("take").hidden = !passive || (size.cols === cols && size.rows === rows);
}

// Show the session's actual name. It differs if a foreign session has the expected name, or after a rename.
function showName(session) {
  part("name").textContent = session;
  if (!/^[\w-]+$/.test(session)) return; // The name would need quoting for the shell and for tmux.
  const button = document.querySelector(".termbar [data-copy]");
  const command = button.dataset.copy.replace(/\S+$/, session);
  button.dataset.copy = command;
  button.title = `Copy: ${command}`;
  button.setAttribute("aria-label", `Copy ${command}`);
}

const MESSAGES = {
  snapshot(data) {
    older.beforeSnapshot(data);
    screen.reserve(data.lines);
    screen.resize(data.cols, data.rows);
    connected();
  },
  size: ({ cols, rows }) => screen.resize(cols, rows),
  windows({ windows, session }) {
    showName(session);
    showWindows(windows);
  },
  role: ({ answers }) => (screen.questions.isResponder = answers),
  link(data) {
    if (data.state === "up") return connected();
    canType = false;
    setState("down", "link lost", "cloud-off");
    showBanner("needs", `${data.message} Reconnecting…`);
  },
  missed: () => showNotSent(),
  exit({ reason }) {
    canType = false;
    setState("off", "ended", "circle-slash");
    wire.stop();
    showBanner("", `${reason} Its output stays here until you leave the page.`, "Open a new shell", () =>
      wire.start({ create: 1 }),
    );
  },
  gone: () => showSaved({ isClosed: true }),
  error(data) {
    if (data.kind === "paste") return toast({ text: data.message, kind: "failed" });
    canType = false;
    if (data.retry) {
      hostError = data.message;
      return;
    }
    setState("off", "failed", "circle-slash");
    showBanner("failed", data.message, "Try again", () => wire.start());
  },
};

function message(data) {
  MESSAGES[data.t]?.(data);
}

function connected() {
  canType = true;
  hostError = "";
  wire.settled();
  setState("up", "connected", "circle-check");
  hideBanner();
  if (toType) setTimeout(typeCommand, PROMPT_MS);
  reportSize(); // Tabs or a banner may have changed the available space.
}

function state(name, unsure) {
  canType = false;
  const off = name === "off" || name === "down";
  if (name === "connecting") setState("", "connecting", "loader-circle");
  if (name === "down") {
    setState("down", "reconnecting", "cloud-off");
    const lost = unsure ? " Your last input may not have been received." : "";
    showBanner("needs", `${hostError || "Connection lost. The session keeps running."}${lost} Reconnecting…`);
  }
  if (name === "off" && part("banner").hidden) {
    setState("off", "disconnected", "unplug");
    showBanner("", "Disconnected. The session keeps running.", "Reconnect", () => wire.start());
  }
  const link = part("link");
  link.title = off ? "Reconnect" : "Disconnect";
  link.setAttribute("aria-label", link.title);
  link.querySelector("use").setAttribute("href", `${icons}#${off ? "plug-zap" : "unplug"}`);
}

function setState(kind, text, icon) {
  const badge = part("state");
  badge.className = `badge ${kind ? `link-${kind}` : "works"}`;
  badge.querySelector("span").textContent = text;
  badge.querySelector("use").setAttribute("href", `${icons}#${icon}`);
}

function showBanner(kind, text, label = "", action = null) {
  const banner = part("banner");
  const button = banner.querySelector("button");
  banner.className = `banner ${kind}`;
  banner.querySelector("span").textContent = text;
  button.hidden = !action;
  button.textContent = label;
  button.onclick = () => {
    hideBanner();
    action?.();
    term.focus();
  };
  banner.hidden = false;
}

function hideBanner() {
  part("banner").hidden = true;
}

// Show the saved history, because the session no longer exists or the user has requested it.
async function showSaved({ isClosed = false } = {}) {
  wire.stop();
  setState("off", "saved history", "clock");
  const prefix = isClosed ? "The session no longer exists. " : "";
  const label = isClosed ? "Open a new shell" : "Open the terminal";
  const open = () => {
    history.replaceState(null, "", location.pathname); // A reload then shows the session, too.
    term.reset();
    wire.start(isClosed ? { create: 1 } : {});
  };
  const response = await fetch(root.dataset.history);
  if (response.status === 404) return showBanner("needs", `${prefix}No history was saved.`, label, open);
  if (!response.ok) return showBanner("needs", `${prefix}The saved history could not be loaded.`, label, open);
  const saved = new Date(Number(response.headers.get("X-Saved-At")) * 1000);
  const bytes = new Uint8Array(await response.arrayBuffer());
  screen.reserve(bytes.reduce((lines, byte) => lines + (byte === 10), 0));
  showBanner("", `${prefix}Saved history from ${saved.toLocaleString()} (read-only).`, label, open);
  screen.fill(); // The banner has changed the available space.
  term.write(bytes, () => term.write("\x1b[?25l"));
}

function hotkeys(event) {
  if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
  const actions = {
    KeyF: () => find.open(),
    KeyC: () => term.hasSelection() && copyText(term.getSelection()),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
  };
  if (event.code === "KeyV") return false; // The browser pastes.
  if (!actions[event.code]) return true;
  event.preventDefault();
  actions[event.code]();
  return false;
}
term.attachCustomKeyEventHandler(hotkeys);
document.addEventListener("keydown", (event) => event.target.closest?.(".xterm") || hotkeys(event));

part("room").addEventListener(
  "paste",
  (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    const text = event.clipboardData.getData("text/plain");
    if (!text) return;
    if (!canType || !wire.paste(text)) return showNotSent();
    takeControl();
  },
  true,
);
part("link").addEventListener("click", () => {
  hideBanner();
  if (wire.isTrying) wire.stop();
  else wire.start();
});
part("smaller").addEventListener("click", () => screen.changeFont(-1));
part("larger").addEventListener("click", () => screen.changeFont(1));
part("search").addEventListener("click", () => find.open());
part("take").addEventListener("click", () => {
  passive = false;
  reported = screen.capacity();
  wire.sendJson({ t: "resize", ...reported, looks: passive });
});
part("fold").addEventListener("click", () => document.querySelector(".terminals").classList.toggle("folded"));
part("room").addEventListener(
  "pointerdown",
  () => drawer.matches && document.querySelector(".terminals").classList.remove("folded"),
);
if (savedOnly) showSaved();
if (!phone.matches) term.focus();
