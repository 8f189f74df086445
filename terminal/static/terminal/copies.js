// Text that programs copy, by OSC 52 or with tmux: it reaches the clipboard after the user has agreed once per host.
// What a program sends is untrusted. It can never read the clipboard, and it can't copy unnoticed.
import { copyText } from "../aitask/app.js";
import { makeButton } from "../aitask/dom.js";
import { toast } from "../aitask/toasts.js";

const LONGEST = 1 << 20; // In bytes.
const TARGETS = /^[cs]*$/; // The clipboard. Others are X11's primary selection and cut buffers.
const SHOWN = 60;
const SAME_SECONDS = 5; // A program may copy by OSC 52 and with tmux.
const NOTE_SECONDS = 6;
const decoder = new TextDecoder("utf-8", { fatal: true });

// Return the text of an OSC 52 sequence, the size of one that is too long, or null for anything else: queries, other
// selections and malformed data.
export function parse(data) {
  const at = data.indexOf(";");
  const [targets, encoded] = [data.slice(0, at), data.slice(at + 1)];
  if (at < 0 || !TARGETS.test(targets) || !encoded) return null;
  const size = Math.floor((encoded.length * 3) / 4);
  if (size > LONGEST) return { text: "", size };
  try {
    const text = decoder.decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
    return { text: clean(text), size };
  } catch {
    return null;
  }
}

// Without control characters, which could do something in the terminal that the text is pasted into.
// Bidirectional ones could show another text than the one that is copied.
const clean = (text) => text.replace(/\r\n?/g, "\n").replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, "");

function excerpt(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}

export class Copies {
  // `isLive()` returns whether this page is the one that answers programs, and shows live output.
  constructor(bar, { host, hostLabel }, term, isLive) {
    this.bar = bar;
    this.key = `terminal-copies:${host}`;
    this.host = hostLabel;
    this.term = term;
    this.isLive = isLive;
    this.last = { text: "", at: 0 };
    this.text = "";
    term.parser.registerOscHandler(52, (data) => {
      const copied = parse(data);
      if (copied) this.offer(copied.text, copied.size);
      return true;
    });
    this.box = bar.querySelector("textarea");
    this.box.addEventListener("focus", () => this.box.select());
    this.addSetting(bar.closest(".screen").querySelector("#term-clipboard"));
  }

  addSetting(menu) {
    const form = menu.querySelector("form");
    menu.addEventListener("toggle", () => (form.elements.copies.value = this.consent));
    form.addEventListener("change", ({ target }) => target.name === "copies" && this.setConsent(target.value));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  get consent() {
    return localStorage.getItem(this.key) ?? "ask";
  }

  setConsent(value) {
    if (value === "ask") localStorage.removeItem(this.key);
    else localStorage.setItem(this.key, value);
    if (value === "no") this.hide();
  }

  // A program has copied `text`, of `size` bytes; the text is empty if it is too long.
  offer(text, size) {
    if (!this.isLive() || this.consent === "no") return;
    if (size > LONGEST) return this.say(`A program tried to copy ${megabytes(size)}. The limit is 1 MB.`);
    const now = performance.now();
    const isSame = text === this.last.text && now - this.last.at < SAME_SECONDS * 1000;
    if (!text || isSame) return;
    this.last = { text, at: now };
    this.text = text;
    clearTimeout(this.soon); // Of many in a row, only the last one counts.
    this.soon = setTimeout(() => this.take(), 100);
  }

  // Without the focus the browser would refuse, and the user would not notice.
  async take() {
    if (this.consent !== "yes") return this.ask();
    if (!navigator.clipboard || !document.hasFocus()) return this.show(`A program on ${this.host} has copied:`);
    const { text } = this;
    const done = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    if (done) this.note(text);
    else this.show(`A program on ${this.host} has copied:`);
  }

  ask() {
    const count = this.text.length.toLocaleString();
    this.show(`A program on ${this.host} wants to copy ${count} characters to your clipboard:`, [
      makeButton("button tiny", "Always on this host", () => this.agree()),
      makeButton("button quiet tiny", "Never", () => this.setConsent("no")),
    ]);
  }

  agree() {
    this.setConsent("yes");
    this.copy();
  }

  show(text, more = []) {
    this.say(text, [
      makeButton("button tiny primary", "Copy", () => this.copy()),
      ...more,
      makeButton("button quiet tiny", "Dismiss", () => this.hide()),
    ]);
    this.box.hidden = false;
    this.box.value = this.text;
  }

  // A line with buttons; without any it can only be dismissed.
  say(text, buttons = [makeButton("button quiet tiny", "Dismiss", () => this.hide())]) {
    clearTimeout(this.fading);
    this.box.hidden = true;
    this.bar.querySelector("p").textContent = text;
    this.bar.querySelector(".row").replaceChildren(...buttons);
    this.bar.hidden = false;
  }

  note(text) {
    this.say(`A program on ${this.host} has copied ${text.length.toLocaleString()} characters: ${excerpt(text)}`);
    this.fading = setTimeout(() => this.hide(), NOTE_SECONDS * 1000);
  }

  async copy() {
    if (await copyText(this.text)) {
      this.hide();
      toast({ text: "Copied.", kind: "good" });
      this.term.focus();
      return;
    }
    this.box.focus();
    this.bar.querySelector("p").textContent = "The browser did not allow copying. The text is selected: press Ctrl+C.";
  }

  // What the user has selected in the terminal.
  async copySelection(text) {
    const done = await copyText(text);
    if (!done) toast({ text: "The browser did not allow copying.", hint: "Use its own menu instead.", kind: "failed" });
  }

  hide() {
    this.bar.hidden = true;
    this.text = "";
  }
}

function megabytes(size) {
  return `${(size / (1 << 20)).toLocaleString(undefined, { maximumFractionDigits: 1 })} MB`;
}
