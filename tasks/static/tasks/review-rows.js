// The lines of one file, loaded from the server in parts.
import { make, makeButton } from "../aitask/dom.js";
import { markWords } from "./review-words.js";

const NOTES = {
  binary: "Binary file not shown.",
  empty: "Only the name or the mode changed.",
  nothing: "Empty file.",
  submodule: "The submodule points to a different commit.",
};

// `request` has: address, range, settings, from. `more(next)` is called when the user clicks “Show more lines”.
export async function addRows(box, file, request, more) {
  const body = box.querySelector(".filebody");
  const query = queryOf(file, request);
  query.set("from", request.from);
  const response = await fetch(`${request.address}?${query}`);
  const text = await response.text();
  const kind = response.headers.get("X-Note");
  if (!response.ok) body.append(make("p", "small bad", text.slice(0, 300)));
  else if (kind === "picture") body.insertAdjacentHTML("beforeend", text);
  else if (kind) body.append(make("p", "small dim", noteOf(kind, file)));
  else {
    const table = tableOf(body, file, request.settings.split);
    const before = table.rows.length;
    table.insertAdjacentHTML("beforeend", text);
    markWords([...table.rows].slice(before));
    addRest(body, response.headers, more);
  }
}

export function queryOf(file, { range, settings }) {
  return new URLSearchParams({
    range,
    key: file.key,
    old: file.old_key,
    split: settings.split ? "1" : "",
    space: settings.space ? "1" : "",
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
    body.append(make("p", "small needs", "This file's diff is larger than 4 MB. The rest is not shown."));
  }
}

function tableOf(body, file, split) {
  const existing = body.querySelector("tbody");
  if (existing) return existing;
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
