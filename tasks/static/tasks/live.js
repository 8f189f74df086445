// What the agent is writing at the moment: below the events, and the output of a command in the row of its tool call.
// It is hostile text, which is only ever set as text. Each part disappears when the page gets the event that has it
// whole, so that nothing is shown twice: by its id, or because the event's number is known.

const KEPT = 64 * 1024; // Characters of a part that stay in the page.
const LONGEST_WAIT = 30_000; // Milliseconds that a whole part waits for its event.
const QUIET = 10_000; // Milliseconds between two announcements that the agent is writing.
const MOST_ANNOUNCED = 300;
const END = 8; // Distance from the end of an output, in pixels, that counts as being at the end.

const MOST_OF_LINE = 300;

function lastLine(text) {
  const line = text.trimEnd().split("\n").at(-1);
  return line.length > MOST_OF_LINE ? `…${line.slice(-MOST_OF_LINE)}` : line;
}

export class Live {
  constructor(box, log) {
    this.box = box;
    this.log = log;
    this.run = null;
    this.parts = new Map();
    this.announced = Number.NEGATIVE_INFINITY;
  }

  take({ run, parts, whole, stale }) {
    if (whole) this.reset(run);
    for (const part of parts) this.change(part);
    this.showStale(stale);
    this.settle();
  }

  reset(run) {
    for (const key of [...this.parts.keys()]) this.remove(key);
    this.run = run;
  }

  change(given) {
    const key = `${this.run}-${given.id}`;
    if (given.gone) return this.remove(key);
    if (this.isShown(key, given.seq)) return this.remove(key);
    const part = this.parts.get(key) ?? this.add(key, given);
    if (given.title !== undefined) part.title = given.title;
    if (!given.more) part.text.data = "";
    if (given.skipped) part.isCut = true;
    part.text.appendData(given.text ?? "");
    if (part.text.length > 2 * KEPT) {
      part.text.deleteData(0, part.text.length - KEPT);
      part.isCut = true;
    }
    this.show(part);
    if (given.seq) this.end(key, part, given.seq);
  }

  // Whether the page has the event with the whole text, or knows that it is among those which are not loaded.
  isShown(key, seq) {
    const [number, last] = this.log.known;
    if (seq && (number > this.run || (number === this.run && last >= seq))) return true;
    return this.log.rows.querySelector(`[data-part="${CSS.escape(key)}"]`) !== null;
  }

  add(key, { kind, parent, tool }) {
    const template = this.box.querySelector(`template[data-kind="${CSS.escape(kind)}"]`);
    const row = template.content.firstElementChild.cloneNode(true);
    const part = { kind, row, tool, title: "", isCut: false, seq: 0, text: document.createTextNode("") };
    row.dataset.writing = key;
    row.classList.toggle("sub", Boolean(parent));
    row.querySelector("[data-text]")?.append(part.text);
    this.parts.set(key, part);
    this.place(part);
    document.querySelector(".idea")?.remove();
    if (kind === "text") this.announceWriting();
    return part;
  }

  // Put an output into the row of its tool call, if that is in the page; all else below the events.
  place(part) {
    const call =
      part.tool && part.kind === "output" ? `.tool[data-tool="${CSS.escape(`${this.run}-${part.tool}`)}"]` : "";
    const home = call && this.log.rows.querySelector(call)?.parentElement;
    if (home) {
      if (part.row.parentElement !== home) home.append(part.row);
    } else if (part.row.parentElement !== this.box) {
      this.box.querySelector(".stale").before(part.row);
    }
  }

  show(part) {
    const { row, kind, text } = part;
    if (kind === "thinking") row.querySelector("[data-line]").textContent = lastLine(text.data);
    if (kind === "tool") row.querySelector("[data-title]").textContent = part.title;
    if (kind !== "output") return;
    row.querySelector("[data-skipped]").hidden = !part.isCut;
    const pre = row.querySelector("pre");
    if (part.followed !== false) pre.scrollTop = pre.scrollHeight;
    pre.onscroll = () => {
      part.followed = pre.scrollHeight - pre.scrollTop - pre.clientHeight < END;
    };
  }

  end(key, part, seq) {
    part.seq = seq;
    part.row.classList.add("is-whole");
    part.timer ??= setTimeout(() => this.remove(key), LONGEST_WAIT);
    if (part.kind === "text") this.announce(part.text.data.trim().slice(0, MOST_ANNOUNCED));
  }

  remove(key) {
    const part = this.parts.get(key);
    if (!part) return;
    clearTimeout(part.timer);
    part.row.remove();
    this.parts.delete(key);
  }

  // After events were added: remove what they have, and put outputs where they belong.
  settle() {
    for (const [key, part] of this.parts) {
      if (this.isShown(key, part.seq)) this.remove(key);
      else this.place(part);
    }
    this.box.hidden = !this.log.complete;
  }

  showStale(stale) {
    const isStale = Boolean(stale) && this.parts.size > 0;
    this.box.dataset.stale = isStale ? "yes" : "no";
    this.box.querySelector(".stale").hidden = !isStale;
  }

  // Tell that the agent writes, then what it has written, but not each word.
  announceWriting() {
    if (performance.now() - this.announced > QUIET) this.announce("The agent is writing.");
  }

  announce(words) {
    this.announced = performance.now();
    this.box.querySelector("[role=status]").textContent = words;
  }
}
