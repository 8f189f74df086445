// Runs xterm.js without a page: JSON lines of steps in, what the terminal shows out. For the tests.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { Questions } from "../static/terminal/questions.js";

const load = createRequire(`${process.argv[2]}/`);
const { Terminal } = load("@xterm/headless");
const { Unicode11Addon } = load("@xterm/addon-unicode11");

function make(cols, rows) {
  const term = new Terminal({ allowProposedApi: true, cols, rows, scrollback: 100_000, scrollOnEraseInDisplay: true });
  term.loadAddon(new Unicode11Addon());
  term.unicode.activeVersion = "11";
  return term;
}

const write = (term, data) => new Promise((done) => term.write(data, done));

function shown(term, answers) {
  const { active, normal } = term.buffer;
  const lines = [];
  const starts = [];
  for (let y = 0; y < active.length; y++) {
    const line = active.getLine(y);
    lines.push(line.translateToString(true));
    starts.push(!line.isWrapped);
  }
  const colours = [];
  for (let y = active.baseY; y < active.length; y++) {
    const line = active.getLine(y);
    for (let x = 0; x < term.cols; x++) {
      const cell = line.getCell(x);
      if (cell.getBgColorMode()) colours.push([x, y - active.baseY, cell.getBgColor()]);
    }
  }
  return {
    lines, starts, colours, answers,
    screen: lines.slice(active.baseY, active.baseY + term.rows),
    normal: normal.length,
    type: active.type,
    cursor: [active.cursorX, active.cursorY],
    size: [term.cols, term.rows],
    modes: term.modes,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { cols, rows, steps } = JSON.parse(line);
  const term = make(cols, rows);
  const answers = [];
  const questions = new Questions(term.parser);
  term.onData((data) => answers.push(questions.answering ? data : `typed:${data}`));
  for (const [kind, ...words] of steps) {
    if (kind === "write") await write(term, Buffer.from(words[0], "base64"));
    else if (kind === "role") questions.isResponder = words[0];
    else term.resize(...words);
  }
  console.log(JSON.stringify(shown(term, answers)));
  term.dispose();
}
