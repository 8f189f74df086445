// The list of changed files in parts. Each is an empty box of about the right height until it is about to become visible:
// a page with thousands of files would otherwise stand still for seconds.
import { make } from "../aitask/dom.js";

const SIZE = 25; // Files of a part.
const FILE_HEIGHT = 44; // Pixels, about, of a file whose lines are not shown.

export class FileParts {
  // `makeBox(file)` returns the element of a file.
  constructor(files, makeBox) {
    this.makeBox = makeBox;
    this.elements = [];
    this.waiting = new Map(); // part → its files
    this.partOf = new Map(); // key of a file → its part
    for (let first = 0; first < files.length; first += SIZE) this.add(files.slice(first, first + SIZE));
  }

  add(files) {
    const part = make("div", "filepart");
    part.style.minHeight = `${files.length * FILE_HEIGHT}px`;
    this.elements.push(part);
    this.waiting.set(part, files);
    for (const file of files) this.partOf.set(file.key, part);
  }

  // Add the files of a part, and return whether it is one that had none.
  fill(part) {
    const files = this.waiting.get(part);
    if (!files) return false;
    this.waiting.delete(part);
    part.append(...files.map(this.makeBox));
    part.style.minHeight = "";
    return true;
  }

  // Add the part of a file if it is missing, and return the element of the file.
  fillFor(file) {
    this.fill(this.partOf.get(file.key));
    return document.getElementById(`file-${file.key}`);
  }
}
