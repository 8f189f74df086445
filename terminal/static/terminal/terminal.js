// The page of one session: ties screen, socket and controls together.

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
const drawer = matchMedia("(max-width: 800px)"); // The sessions lie over the terminal.
const icons = document.querySelector("#link use").getAttribute("href").split("#")[0];
const toRead = new URLSearchParams(location.search).has("saved"); // Opened for what was kept, not for the session.
let mayType = false;
let looks = phone.matches; // On a phone, looking does not change the size that others see.
let trouble = ""; // Why the host can't be asked just now.
let chosen = "";
let told = { cols: 0, rows: 0 }; // The room that the server knows of.

const screen = await makeScreen(root, { type, answer, room: roomChanged, sized });
export const { term } = screen;
screen.fill();
const older = new Older(term, part("older"), (lines) => wire.say({ t: "history", lines }));
const touch = makeTouch(part("touch"), term, (bytes) => type(bytes));
const showWindows = makeWindows(part("windows"), (id, work) => {
  chosen = id;
  wire.say({ t: "window", id });
  if (work) term.focus();
});
const find = makeFind(part("find"), screen.addons.search, term, older);
const wire = new Wire(
  root.dataset.socket,
  parameters,
  { message, bytes: (bytes, shown) => screen.write(bytes, shown), state },
  !toRead,
);

function parameters() {
  told = screen.capacity();
  const given = { ...told, create: "unless-history" };
  if (looks) given.looks = 1;
  if (chosen) given.window = chosen;
  return given;
}

function type(bytes) {
  const data = touch.changed(bytes);
  if (!mayType || !wire.type(data)) return refuse();
  claimed();
}

function answer(text) {
  if (mayType) wire.say({ t: "answer", d: text });
}

// What can't arrive is not swallowed: the banner says so.
function refuse() {
  const banner = part("banner");
  if (banner.hidden) show("needs", "Not connected yet: nothing was typed.");
  banner.classList.remove("refuses");
  void banner.offsetWidth; // Restarts the animation.
  banner.classList.add("refuses");
}

function claimed() {
  if (looks) part("take").hidden = true;
  looks = false;
}

function roomChanged() {
  const room = screen.capacity();
  if (!mayType || (room.cols === told.cols && room.rows === told.rows)) return;
  told = room;
  wire.say({ t: "resize", ...room, looks });
}

function sized(cols, rows) {
  part("size").textContent = `${cols}×${rows}`;
  const room = screen.capacity();
  part("take").hidden = !looks || (room.cols === cols && room.rows === rows);
}

// The session's real name, which is another one where a foreign session has ours or somebody has renamed it.
function called(session) {
  part("name").textContent = session;
  if (!/^[\w-]+$/.test(session)) return; // Such a name would have to be quoted twice.
  const button = document.querySelector(".termbar [data-copy]");
  const command = button.dataset.copy.replace(/\S+$/, session);
  button.dataset.copy = command;
  button.title = `Copy: ${command}`;
  button.setAttribute("aria-label", `Copy ${command}`);
}

const MESSAGES = {
  snapshot(data) {
    older.painting(data);
    screen.reserve(data.lines);
    screen.resize(data.cols, data.rows);
    up();
  },
  size: ({ cols, rows }) => screen.resize(cols, rows),
  windows({ windows, session }) {
    called(session);
    showWindows(windows);
  },
  role: ({ answers }) => (screen.questions.mine = answers),
  link(data) {
    if (data.state === "up") return up();
    mayType = false;
    setState("down", "link lost", "cloud-off");
    show("needs", `${data.message} Trying again…`);
  },
  missed: () => refuse(),
  exit({ reason }) {
    mayType = false;
    setState("off", "ended", "circle-slash");
    wire.stop();
    show("", `${reason} What it showed stays here until you leave.`, "Open a new shell", () =>
      wire.start({ create: 1 }),
    );
  },
  gone: () => showSaved({ gone: true }),
  error(data) {
    if (data.kind === "paste") return toast({ text: data.message, kind: "failed" });
    mayType = false;
    if (data.retry) {
      trouble = data.message;
      return;
    }
    setState("off", "refused", "circle-slash");
    show("failed", data.message, "Try again", () => wire.start());
  },
};

function message(data) {
  MESSAGES[data.t]?.(data);
}

function up() {
  mayType = true;
  trouble = "";
  wire.settled();
  setState("up", "connected", "circle-check");
  hideBanner();
  roomChanged(); // Tabs or a banner may have come since the server was told.
}

function state(name, unsure) {
  mayType = false;
  const off = name === "off" || name === "down";
  if (name === "connecting") setState("", "connecting", "loader-circle");
  if (name === "down") {
    setState("down", "reconnecting", "cloud-off");
    const typed = unsure ? " What you typed last may not have arrived." : "";
    show("needs", `${trouble || "The connection is lost; the session goes on."}${typed} Trying again…`);
  }
  if (name === "off" && part("banner").hidden) {
    setState("off", "disconnected", "unplug");
    show("", "Disconnected. The session goes on without you.", "Reconnect", () => wire.start());
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

function show(kind, text, label = "", action = null) {
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

// What was kept of the session, to be read: it is gone with its host or was closed, or a person asks for it.
async function showSaved({ gone }) {
  wire.stop();
  setState("off", "saved history", "clock");
  const is = gone ? "The session is gone. " : "";
  const label = gone ? "Open a new shell" : "Open the terminal";
  const open = () => {
    history.replaceState(null, "", location.pathname); // A reload shows the session, too.
    term.reset();
    wire.start(gone ? { create: 1 } : {});
  };
  const response = await fetch(root.dataset.history);
  if (response.status === 404) return show("needs", `${is}Nothing was kept of it.`, label, open);
  if (!response.ok) return show("needs", `${is}Its history can't be read just now.`, label, open);
  const saved = new Date(Number(response.headers.get("X-Saved-At")) * 1000);
  const bytes = new Uint8Array(await response.arrayBuffer());
  screen.reserve(bytes.reduce((lines, byte) => lines + (byte === 10), 0));
  show("", `${is}This is what it had shown, saved ${saved.toLocaleString()}; it can only be read.`, label, open);
  screen.fill(); // Below the banner.
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
    if (!mayType || !wire.paste(text)) return refuse();
    claimed();
  },
  true,
);
part("link").addEventListener("click", () => {
  hideBanner();
  if (wire.isTrying) wire.stop();
  else wire.start();
});
part("smaller").addEventListener("click", () => screen.enlarge(-1));
part("larger").addEventListener("click", () => screen.enlarge(1));
part("search").addEventListener("click", () => find.open());
part("take").addEventListener("click", () => {
  looks = false;
  told = screen.capacity();
  wire.say({ t: "resize", ...told, looks });
});
part("fold").addEventListener("click", () => document.querySelector(".terminals").classList.toggle("folded"));
part("room").addEventListener(
  "pointerdown",
  () => drawer.matches && document.querySelector(".terminals").classList.remove("folded"),
);
if (toRead) showSaved({ gone: false });
if (!phone.matches) term.focus();
