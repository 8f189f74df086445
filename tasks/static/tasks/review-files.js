// One changed file: its header, the “Viewed” checkbox, and a body for its lines.
import { make, makeButton } from "../aitask/dom.js";
import { post } from "../aitask/send.js";

const AUTO_LINES = 1000;
const STATUS = { A: "added", D: "deleted", M: "modified", R: "renamed", C: "copied", T: "type changed" };

// `on` has: viewedAddress, opened(box) when the file is expanded, wanted(box) when its lines are requested by a click,
// comment(box) to write a comment on the whole file.
export function makeFile(file, open, on) {
  const box = make("section", "file");
  Object.assign(box.dataset, { key: file.key, version: file.version });
  box.id = `file-${file.key}`;
  const details = box.appendChild(make("details"));
  details.open = open;
  details.append(makeHead(file));
  const actions = box.appendChild(make("div", "fileactions"));
  actions.append(
    makeComment(file, () => on.comment(box)),
    makeViewed(file, details, on.viewedAddress),
  );
  details.append(makeBody(file, box, on));
  let wasOpen = open; // The initial `open` fires a toggle event, too.
  details.addEventListener("toggle", () => {
    if (details.open && !wasOpen) on.opened(box);
    wasOpen = details.open;
  });
  return box;
}

function makeHead(file) {
  const head = make("summary", "filehead");
  head.append(
    make("span", `status ${file.status}`, file.status),
    makePath(file),
    ...(file.runs ? [makeWarning(file.runs)] : []),
    ...(file.unportable ? [makeUnportable(file.unportable)] : []),
    ...(file.folded ? [make("span", "badge", file.folded)] : []),
    ...(file.changed_since && !file.viewed ? [make("span", "badge needs", "changed since you viewed it")] : []),
    make("span", "grow"),
    ...(file.additions === null ? [make("span", "dim small", "binary")] : figures(file.additions, file.deletions)),
  );
  return head;
}

function makeWarning(reason) {
  return Object.assign(make("span", "badge needs runs", "Runs by itself"), { title: `Look closely: ${reason}.` });
}

function makeUnportable(reason) {
  return Object.assign(make("span", "badge needs", "Not for Windows"), {
    title: `Windows can't check out this file: ${reason}.`,
  });
}

function makePath(file) {
  const path = make("span", "path cut cut-start");
  path.title = `${file.path}, ${STATUS[file.status] ?? file.status}`;
  const slash = file.path.lastIndexOf("/") + 1;
  const text = path.appendChild(Object.assign(make("bdi"), { dir: "ltr" }));
  text.append(
    ...(file.old_path ? [make("span", "dim", `${file.old_path} → `)] : []),
    make("span", "dim", file.path.slice(0, slash)),
    make("b", "", file.path.slice(slash)),
  );
  return path;
}

function makeBody(file, box, on) {
  const body = make("div", "filebody");
  if (file.mode) body.append(make("p", "small dim", `File mode: ${file.mode}`));
  const size = (file.additions ?? 0) + (file.deletions ?? 0);
  if (size <= AUTO_LINES) {
    box.dataset.waits = "yes";
    return body;
  }
  const button = makeButton("button tiny", `Show ${size.toLocaleString()} lines`, () => {
    button.remove();
    box.dataset.waits = "yes";
    on.wanted(box);
  });
  body.append(button);
  return body;
}

function makeComment(file, onClick) {
  const button = makeButton("button quiet tiny icon comment-file", "+", onClick);
  button.title = "Comment on the whole file (C)";
  button.ariaLabel = `Comment on the file ${file.path}`;
  return button;
}

function makeViewed(file, details, address) {
  const label = make("label", "viewed small");
  const box = label.appendChild(Object.assign(make("input"), { type: "checkbox", checked: file.viewed }));
  label.append("Viewed");
  const show = (viewed) => {
    file.viewed = box.checked = viewed;
    details.open = !viewed;
  };
  box.addEventListener("change", async () => {
    const viewed = box.checked;
    show(viewed);
    const values = { key: file.key, version: file.version, viewed: viewed ? "yes" : "" };
    if (!(await post(address, new URLSearchParams(values), { keepalive: true }))) show(!viewed);
  });
  return label;
}

export function figures(added, deleted) {
  return [
    make("span", "plus num small", `+${added.toLocaleString()}`),
    " ",
    make("span", "minus num small", `−${deleted.toLocaleString()}`),
  ];
}
