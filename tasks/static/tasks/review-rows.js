// The lines of one file, read from the server a part at a time.
import { make, makeButton } from "../aitask/dom.js";

const NOTES = {
  binary: "A binary file: nothing to show line by line.",
  empty: "Only its name or its rights changed.",
  nothing: "An empty file.",
  submodule: "A submodule points to another commit.",
};

// `question` has: address, range, settings, from. `more(next)` is called when the user wants the lines from there on.
export async function addRows(box, file, question, more) {
  const body = box.querySelector(".filebody");
  const response = await fetch(`${question.address}?${queryOf(file, question)}`);
  const text = await response.text();
  const kind = response.headers.get("X-Note");
  if (!response.ok) body.append(make("p", "small bad", text.slice(0, 300)));
  else if (kind) body.append(make("p", "small dim", noteOf(kind, file)));
  else {
    tableOf(body, file, question.settings.split).insertAdjacentHTML("beforeend", text);
    addRest(body, response.headers, more);
  }
}

function queryOf(file, { range, settings, from }) {
  return new URLSearchParams({
    range,
    key: file.key,
    old: file.old_key,
    split: settings.split ? "1" : "",
    space: settings.space ? "1" : "",
    from,
  });
}

const noteOf = (kind, file) => NOTES[kind === "empty" && "AD".includes(file.status) ? "nothing" : kind] ?? kind;

function addRest(body, headers, more) {
  const next = headers.get("X-Next");
  if (next) {
    const button = makeButton("button tiny", "Show more lines", () => {
      button.remove();
      more(next);
    });
    body.append(button);
  } else if (headers.get("X-Cut")) {
    body.append(make("p", "small needs", "The rest is not shown: the difference of this file is larger than 4 MB."));
  }
}

function tableOf(body, file, split) {
  const known = body.querySelector("tbody");
  if (known) return known;
  const frame = body.appendChild(make("div", "lines"));
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", `Lines of ${file.path}`);
  const table = frame.appendChild(make("table", split ? "split" : "unified"));
  if (split) table.append(columns());
  return table.appendChild(make("tbody"));
}

function columns() {
  const group = make("colgroup");
  group.append(make("col", "num"), make("col"), make("col", "num"), make("col"));
  return group;
}
