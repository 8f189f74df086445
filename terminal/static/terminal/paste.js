// Pasting by the browser's own event, which needs no permission and no HTTPS. A program that has not enabled bracketed
// paste takes each line break for Enter, so the user is shown the lines first.
import { toast } from "../aitask/toasts.js";

const SHOWN_LINES = 200;
const SHOWN_CHARACTERS = 20_000;
const LINE_BREAK = /\r\n|\r|\n/;

// Control characters as pictures, so that the user sees what would be sent.
const visible = (text) =>
  text.replace(/[^\P{Cc}\n\t]/gu, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\u2421";
  });

function excerpt(lines) {
  const text = visible(lines.slice(0, SHOWN_LINES).join("\n"));
  if (lines.length <= SHOWN_LINES && text.length <= SHOWN_CHARACTERS) return text;
  return `${text.slice(0, SHOWN_CHARACTERS)}\n… and more`;
}

export class Paste {
  // `send` pastes a text, `put` takes files.
  constructor(root, term, send, put) {
    this.term = term;
    this.send = send;
    this.put = put;
    this.longest = Number(root.dataset.longestPaste);
    this.dialog = root.querySelector("#term-paste");
    root.querySelector("#term-room").addEventListener("paste", (event) => this.pasted(event), true);
    this.dialog.addEventListener("keydown", (event) => {
      const answer = { y: "all", o: "line" }[event.key];
      if (!answer || event.ctrlKey || event.metaKey) return;
      event.preventDefault(); // Otherwise the key would be typed into the terminal, which has the focus then.
      this.dialog.close(answer);
    });
  }

  pasted(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const { clipboardData: data } = event;
    const text = data.getData("text/plain");
    if (text) this.check(text);
    else if (data.files.length) this.put([...data.files]);
    else if (data.types.length) toast({ text: "Only text and files can be pasted into a terminal.", kind: "failed" });
  }

  async check(text) {
    if (text.length > this.longest) {
      const [is, may] = [text.length, this.longest].map((count) => count.toLocaleString());
      const hint = `The text has ${is} characters; at most ${may} can be pasted. Copy the file to the host instead.`;
      return toast({ text: "Nothing was pasted.", hint, kind: "failed" });
    }
    const isSafe = this.term.modes.bracketedPasteMode || !LINE_BREAK.test(text);
    const wanted = isSafe ? text : await this.ask(text);
    this.term.focus();
    if (wanted) this.send(wanted);
  }

  // Resolve to the text to paste; empty if nothing should be.
  async ask(text) {
    const lines = text.split(LINE_BREAK);
    const count = lines.length - (lines.at(-1) === "" ? 1 : 0);
    const title = count === 1 ? "Paste a line with a line break?" : `Paste ${count.toLocaleString()} lines?`;
    this.dialog.querySelector("h2").textContent = title;
    this.dialog.querySelector("pre").textContent = excerpt(lines);
    this.dialog.returnValue = "";
    this.dialog.showModal();
    this.dialog.querySelector("[value='']").focus();
    await new Promise((resolve) => this.dialog.addEventListener("close", resolve, { once: true }));
    const joined = () => lines.filter(Boolean).join(" ");
    return { all: text, line: joined() }[this.dialog.returnValue] ?? "";
  }
}
