// The protocol of a terminal: bytes both ways, acknowledged as they are shown.
import { Socket } from "../aitask/socket.js";

const ACK_BYTES = 64 * 1024;
const PASTE_PIECE = 150_000; // Characters, each up to six bytes as JSON; the server takes no message above 1 MiB.
const PULSE_SECONDS = 15; // A laptop that slept has a socket that looks open and is not.
const ANSWER_SECONDS = 10;
const DOUBT_SECONDS = 2; // After a key that nothing followed, the way is tried, and an answer is due sooner.
const SOONER_SECONDS = 5;
const FINAL = [4403, 4404, 4410];

const isHighSurrogate = (code) => code >= 0xd800 && code < 0xdc00;

export class Wire {
  // `on` has: message(data), bytes(array, shown), state(name, unsure) with name connecting, down or off; unsure: what
  // was typed last may not have arrived.
  constructor(path, parameters, on, wanted) {
    this.path = path;
    this.parameters = parameters;
    this.on = on;
    this.wanted = wanted;
    this.more = {};
    this.socket = this.makeSocket();
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.pulse());
    setInterval(() => this.pulse(), PULSE_SECONDS * 1000);
    if (wanted) this.start();
  }

  makeSocket() {
    const on = {
      connecting: () => this.begin(),
      message: (data) => this.take(data),
      lost: () => this.lost(),
      ended: () => this.ended(),
    };
    return new Socket(() => this.address(), on, { binary: true, final: FINAL });
  }

  address() {
    const query = new URLSearchParams({ ...this.parameters(), ...this.more });
    this.more = {};
    return `${this.path}?${query}`;
  }

  get isTrying() {
    return this.wanted && this.socket.isTrying;
  }

  // `more` are parameters of this one connection.
  start(more = {}) {
    this.wanted = true;
    this.more = more;
    this.socket.start();
  }

  begin() {
    this.heard();
    this.connection = {};
    this.shown = this.told = this.unshown = 0;
    this.on.state("connecting");
  }

  take(data) {
    this.heard();
    if (typeof data === "string") return this.on.message(JSON.parse(data));
    const bytes = new Uint8Array(data);
    const { connection } = this;
    this.unshown += bytes.length;
    this.on.bytes(bytes, () => this.connection === connection && this.wasShown(bytes.length));
  }

  wasShown(count) {
    this.shown += count;
    this.unshown -= count;
    if (this.unshown && this.shown - this.told < ACK_BYTES) return;
    this.told = this.shown;
    this.say({ t: "ack", n: this.shown });
  }

  lost() {
    const unsure = Boolean(this.doubt);
    this.heard();
    this.on.state("down", unsure);
  }

  ended() {
    this.heard();
    this.on.state("off");
  }

  settled() {
    this.socket.settled();
  }

  retry() {
    if (this.wanted && !this.socket.isOpen) this.start();
  }

  stop() {
    this.wanted = false;
    this.socket.drop();
    this.heard();
    this.on.state("off");
  }

  heard() {
    clearTimeout(this.silence);
    clearTimeout(this.doubt);
    this.doubt = null;
  }

  pulse(seconds = ANSWER_SECONDS) {
    if (!this.wanted) return;
    if (!this.socket.isOpen) return this.socket.isTrying || this.retry();
    this.say({ t: "pulse" });
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket.closed(0), seconds * 1000);
  }

  say(message) {
    return this.socket.say(message);
  }

  type(data) {
    if (!this.socket.send(data)) return false;
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
