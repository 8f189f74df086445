// Marks the words that differ between a removed line and the one that replaces it. The marks are highlights of the
// browser: they add no elements, and are computed while it is idle.
const LONGEST_LINE = 1000; // Characters. Longer lines get no marks.
const MOST_CELLS = 40_000; // Of the table of a comparison. A larger one marks everything between the equal ends.
const MOST_PAIRS = 2000; // Of one file.
const LEAST_ALIKE = 0.3; // Lines that have less in common were not edited but replaced.
const WORDS = /[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu;

const names = { old: "words-removed", new: "words-added" };
const waiting = [];
let isScheduled = false;

// Mark the words in the lines of a table, from a row on.
export function markWords(rows) {
  if (!globalThis.CSS?.highlights) return;
  for (const pair of pairsOf(rows)) waiting.push(pair);
  schedule();
}

// Forget the marks of lines that are no longer in the page.
export function forgetWords() {
  for (const marks of Object.values(names).map((name) => globalThis.CSS?.highlights?.get(name) ?? [])) {
    for (const range of marks) if (!range.startContainer.isConnected) marks.delete(range);
  }
}

function schedule() {
  if (isScheduled || !waiting.length) return;
  isScheduled = true;
  (globalThis.requestIdleCallback ?? setTimeout)((deadline) => {
    isScheduled = false;
    const end = performance.now() + Math.min(deadline?.timeRemaining() ?? 8, 8);
    do compare(...waiting.shift());
    while (waiting.length && performance.now() < end);
    schedule();
  });
}

// Side by side, a row has both lines. In one column, removed lines are followed by as many added ones.
function pairsOf(rows) {
  const pairs = [];
  let [removed, added] = [[], []];
  const flush = () => {
    if (removed.length === added.length) pairs.push(...removed.map((code, at) => [code, added[at]]));
    [removed, added] = [[], []];
  };
  for (const row of rows) {
    const [before, after] = [row.querySelector(".code.old code"), row.querySelector(".code.new code")];
    if (before && after) pairs.push([before, after]);
    else if (before) {
      if (added.length) flush();
      removed.push(before);
    } else if (after) added.push(after);
    else flush();
    if (pairs.length > MOST_PAIRS) break;
  }
  flush();
  return pairs.slice(0, MOST_PAIRS);
}

function compare(before, after) {
  const [left, right] = [before.textContent, after.textContent];
  if (!before.isConnected || Math.max(left.length, right.length) > LONGEST_LINE) return;
  const [removed, added] = changedParts(left.match(WORDS) ?? [], right.match(WORDS) ?? []);
  const size = (parts) => parts.reduce((sum, [start, end]) => sum + end - start, 0);
  const alike = left.length + right.length - size(removed) - size(added);
  if (alike < LEAST_ALIKE * (left.length + right.length)) return;
  add("old", before, removed);
  add("new", after, added);
}

// Return the parts of both texts that differ, as [start, end] in characters.
export function changedParts(left, right) {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let end = 0;
  const most = Math.min(left.length, right.length) - start;
  while (end < most && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const [a, b] = [left.slice(start, left.length - end), right.slice(start, right.length - end)];
  const kept = a.length * b.length > MOST_CELLS ? [new Set(), new Set()] : commonOf(a, b);
  return [partsOf(left, start, a.length, kept[0]), partsOf(right, start, b.length, kept[1])];
}

// Return which words of both are in a longest common sequence.
function commonOf(a, b) {
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      longest[at] = a[i] === b[j] ? longest[at + width + 1] + 1 : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const kept = [new Set(), new Set()];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      kept[0].add(i++);
      kept[1].add(j++);
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return kept;
}

function partsOf(words, start, count, kept) {
  const parts = [];
  let at = words.slice(0, start).join("").length;
  for (let index = 0; index < count; index += 1) {
    const end = at + words[start + index].length;
    if (!kept.has(index)) {
      if (parts.at(-1)?.[1] === at) parts.at(-1)[1] = end;
      else parts.push([at, end]);
    }
    at = end;
  }
  return parts;
}

function add(side, code, parts) {
  const marks = CSS.highlights.get(names[side]) ?? new Highlight();
  CSS.highlights.set(names[side], marks);
  for (const [start, end] of parts) {
    const [startContainer, startOffset] = placeIn(code, start);
    const [endContainer, endOffset] = placeIn(code, end);
    marks.add(new StaticRange({ startContainer, startOffset, endContainer, endOffset }));
  }
}

// Return the text node that has a character of an element, and its offset there.
function placeIn(code, offset) {
  const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  let rest = offset;
  while (rest > node.length) {
    rest -= node.length;
    node = walker.nextNode();
  }
  return [node, rest];
}
