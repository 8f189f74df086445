// The protocol of a terminal: bytes in both directions. Output is acknowledged when it has been rendered.
import { Socket } from "../aitask/socket.js";

const ACK_BYTES = 64 * 1024;
const PASTE_PIECE = 150_000; // In characters of up to six bytes in JSON. The server accepts at most 1 MiB per message.
const PULSE_SECONDS = 15; // After a laptop has slept, a socket can look open although the connection is lost.
const ANSWER_SECONDS = 10;
const UNANSWERED_SECONDS = 2; // Input without any output for this long triggers a pulse with a shorter timeout.
const SHORT_ANSWER_SECONDS = 5;
const FINAL = [4403, 4404, 4410];

const isHighSurrogate = (code) => code >= 0xd800 && code < 0xdc00;

export class Wire {
  // `on` has: message(data), bytes(array, done), and state(name, unsure). `name` is connecting, down or off; `unsure`
  // means that the last input may not have been received.
  constructor(path, parameters, on, wanted) {
    this.path = path;
    this.parameters = parameters;
    this.on = on;
    this.wanted = wanted;
    this.extra = {};
    this.socket = this.makeSocket();
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.pulse());
    setInterval(() => this.pulse(), PULSE_SECONDS * 1000);
    if (wanted) this.start();
  }

  makeSocket() {
    const on = {
      connecting: () => this.reset(),
      message: (data) => this.receive(data),
      lost: () => this.lost(),
      ended: () => this.ended(),
    };
    return new Socket(() => this.address(), on, { binary: true, final: FINAL });
  }

  address() {
    const query = new URLSearchParams({ ...this.parameters(), ...this.extra });
    this.extra = {};
    return `${this.path}?${query}`;
  }

  get isTrying() {
    return this.wanted && this.socket.isTrying;
  }

  // `extra` holds parameters for this connection only.
  start(extra = {}) {
    this.wanted = true;
    this.extra = extra;
    this.socket.start();
  }

  reset() {
    this.clearTimers();
    this.connection = {};
    this.rendered = this.acknowledged = this.unrendered = 0;
    this.on.state("connecting");
  }

  receive(data) {
    this.clearTimers();
    if (typeof data === "string") return this.on.message(JSON.parse(data));
    const bytes = new Uint8Array(data);
    const { connection } = this;
    this.unrendered += bytes.length;
    this.on.bytes(bytes, () => this.connection === connection && this.onRendered(bytes.length));
  }

  onRendered(count) {
    this.rendered += count;
    this.unrendered -= count;
    if (this.unrendered && this.rendered - this.acknowledged < ACK_BYTES) return;
    this.acknowledged = this.rendered;
    this.sendJson({ t: "ack", n: this.rendered });
  }

  lost() {
    const unsure = Boolean(this.unanswered);
    this.clearTimers();
    this.on.state("down", unsure);
  }

  ended() {
    this.clearTimers();
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
    this.clearTimers();
    this.on.state("off");
  }

  clearTimers() {
    clearTimeout(this.timeout);
    clearTimeout(this.unanswered);
    this.unanswered = null;
  }

  pulse(seconds = ANSWER_SECONDS) {
    if (!this.wanted) return;
    if (!this.socket.isOpen) return this.socket.isTrying || this.retry();
    this.sendJson({ t: "pulse" });
    clearTimeout(this.timeout);
    this.timeout = setTimeout(() => this.socket.closed(0), seconds * 1000);
  }

  sendJson(message) {
    return this.socket.sendJson(message);
  }

  type(data) {
    if (!this.socket.send(data)) return false;
    this.unanswered ??= setTimeout(() => this.pulse(SHORT_ANSWER_SECONDS), UNANSWERED_SECONDS * 1000);
    return true;
  }

  paste(text) {
    for (let start = 0, end; start < text.length; start = end) {
      end = start + PASTE_PIECE;
      if (isHighSurrogate(text.charCodeAt(end - 1))) end++; // Don't split a surrogate pair.
      if (!this.sendJson({ t: "paste", d: text.slice(start, end), more: end < text.length })) return false;
    }
    return true;
  }
}
