// The changed files as a tree. A folder that contains only one folder is combined with it.
const MAX_OPEN = 400; // With more files, all folders start closed.

export function buildTree(files, onSelect) {
  const top = folder();
  for (const file of files) insert(top, file.path.split("/"), file);
  const list = draw(top, onSelect, files.length <= MAX_OPEN);
  list.className = "treeroot";
  return list;
}

function folder() {
  return { folders: new Map(), files: [], count: 0 };
}

function insert(top, parts, file) {
  let at = top;
  at.count += 1;
  for (const part of parts.slice(0, -1)) {
    if (!at.folders.has(part)) at.folders.set(part, folder());
    at = at.folders.get(part);
    at.count += 1;
  }
  at.files.push([parts.at(-1), file]);
}

function draw(node, onSelect, open) {
  const list = document.createElement("ul");
  for (let [name, inner] of node.folders) {
    while (inner.folders.size === 1 && !inner.files.length) {
      const [[next, deeper]] = inner.folders;
      name += `/${next}`;
      inner = deeper;
    }
    list.append(drawFolder(name, inner, onSelect, open));
  }
  for (const [name, file] of node.files) list.append(drawFile(name, file, onSelect));
  return list;
}

// The content of a closed folder is created when it is opened, to avoid thousands of hidden rows.
function drawFolder(name, inner, onSelect, open) {
  const item = document.createElement("li");
  const details = item.appendChild(document.createElement("details"));
  const head = details.appendChild(document.createElement("summary"));
  head.textContent = `${name} `;
  head.append(Object.assign(document.createElement("span"), { className: "count", textContent: inner.count }));
  const fill = () => details.childElementCount === 1 && details.append(draw(inner, onSelect, open));
  details.addEventListener("toggle", fill);
  if (open) {
    fill();
    details.open = true;
  }
  return item;
}

function drawFile(name, file, onSelect) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  button.type = "button";
  button.title = file.path;
  button.className = file.viewed ? "seen" : "";
  const label = button.appendChild(document.createElement("span"));
  label.className = "cut";
  label.textContent = name;
  if (file.additions !== null) {
    for (const [css, text] of [
      ["plus", `+${file.additions}`],
      ["minus", `−${file.deletions}`],
    ]) {
      button.append(
        Object.assign(document.createElement("span"), { className: `${css} num small`, textContent: text }),
      );
    }
  }
  button.addEventListener("click", () => onSelect(file));
  return item;
}
