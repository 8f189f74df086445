// The socket of a terminal: bytes both ways, acknowledged as they are shown, and coming back by itself.
import { reloadIfNoLongerAllowed } from "../aitask/socket.js";

const FIRST_DELAY = 250;
const LONGEST_DELAY = 8000;
const ACK_BYTES = 64 * 1024;
const PASTE_PIECE = 150_000; // Characters, each up to six bytes as JSON; the server takes no message above 1 MiB.
const PULSE_SECONDS = 15; // A laptop that slept has a socket that looks open and is not.
const ANSWER_SECONDS = 10;
const DOUBT_SECONDS = 2; // After a key that nothing followed, the way is tried, and an answer is due sooner.
const SOONER_SECONDS = 5;
const LOGIN_NEEDED = 4401;
const FINAL = new Set([4403, 4404, 4410]);

const isHighSurrogate = (code) => code >= 0xd800 && code < 0xdc00;

export class Wire {
  // `on` has: message(data), bytes(array, shown), state(name, unsure) with name connecting, down or off; unsure: what
  // was typed last may not have arrived.
  constructor(path, parameters, on, wanted) {
    this.path = path;
    this.parameters = parameters;
    this.on = on;
    this.delay = FIRST_DELAY;
    this.wanted = wanted;
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.pulse());
    setInterval(() => this.pulse(), PULSE_SECONDS * 1000);
    if (wanted) this.start();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  start(more = {}) {
    clearTimeout(this.timer);
    this.drop();
    this.wanted = true;
    this.shown = this.told = this.unshown = 0;
    const query = new URLSearchParams({ ...this.parameters(), ...more });
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${this.path}?${query}`);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    this.on.state("connecting");
    socket.addEventListener("message", ({ data }) => this.socket === socket && this.take(socket, data));
    let wasOpen = false;
    socket.addEventListener("open", () => (wasOpen = true));
    socket.addEventListener("close", ({ code }) => this.socket === socket && this.closed(code, wasOpen));
  }

  take(socket, data) {
    this.heard();
    if (typeof data === "string") return this.on.message(JSON.parse(data));
    const bytes = new Uint8Array(data);
    this.unshown += bytes.length;
    this.on.bytes(bytes, () => this.wasShown(socket, bytes.length));
  }

  wasShown(socket, count) {
    if (this.socket !== socket) return;
    this.shown += count;
    this.unshown -= count;
    if (this.unshown && this.shown - this.told < ACK_BYTES) return;
    this.told = this.shown;
    this.say({ t: "ack", n: this.shown });
  }

  closed(code, wasOpen = true) {
    const unsure = Boolean(this.doubt);
    this.drop();
    if (code === LOGIN_NEEDED) return location.reload();
    if (FINAL.has(code)) return this.on.state("off");
    this.on.state("down", unsure);
    if (!wasOpen) reloadIfNoLongerAllowed();
    this.timer = setTimeout(() => this.start(), this.delay * (0.5 + Math.random()));
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
  }

  settled() {
    this.delay = FIRST_DELAY;
  }

  retry() {
    if (this.wanted && !this.isOpen) this.start();
  }

  stop() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.drop();
    this.on.state("off");
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    this.heard();
    socket?.close();
  }

  heard() {
    clearTimeout(this.silence);
    clearTimeout(this.doubt);
    this.doubt = null;
  }

  pulse(seconds = ANSWER_SECONDS) {
    if (!this.wanted) return;
    if (!this.isOpen) return this.socket || this.retry();
    this.say({ t: "pulse" });
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.closed(0), seconds * 1000);
  }

  say(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  type(data) {
    if (!this.isOpen) return false;
    this.socket.send(data);
    this.doubt ??= setTimeout(() => this.pulse(SOONER_SECONDS), DOUBT_SECONDS * 1000);
    return true;
  }

  paste(text) {
    for (let start = 0, end; start < text.length; start = end) {
      end = start + PASTE_PIECE;
      if (isHighSurrogate(text.charCodeAt(end - 1))) end++; // Never half a character.
      if (!this.say({ t: "paste", d: text.slice(start, end), more: end < text.length })) return false;
    }
    return true;
  }
}
