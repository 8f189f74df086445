"""What an agent is writing at the moment: texts, thoughts and outputs that are not complete yet.

They exist in memory only. A runner collects them from its CLI, the app copies them from the runner, and each
copy is brought up to date by a `PartCursor`, which tells a reader only what it does not have yet.
"""

from __future__ import annotations

import re
import time
from typing import Callable, Dict, List, Optional, Tuple

from ..wire import LivePart, RunEvent

KEPT = 64 * 1024
"""Characters of a part that are kept: its end. Up to twice as many, so that not each addition cuts it."""
MOST_PARTS = 50
MOST_AT_ONCE = 64 * 1024
"""Characters after which a message is sent, and the rest follows in the next one."""
HELD_SECONDS = 10.0
"""How long a complete part is kept, while its event travels through the database."""
MAX_ID, MAX_LINE = 200, 160
TEXT, THINKING, TOOL, OUTPUT = "text", "thinking", "tool", "output"
KINDS = (TEXT, THINKING, TOOL, OUTPUT)
COLOUR = re.compile(r"\x1b\[[0-9;:?]{0,30}[A-Za-z]")
OPEN_COLOUR = re.compile(r"(?:\x1b(?:\[[0-9;:?]{0,30})?|\r)\Z")
"""The beginning of a code for a terminal, or of a line's end, at the end of a piece of output."""

MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
"""What a line of a CLI can raise that is not as expected. Then only the live text lacks something: a whole
line follows, and whoever reads that one reports what is wrong with it."""


def call_part(tool: str) -> str:
    """Return the id of the part in which the model writes a tool call."""
    return "call:" + tool


def output_part(tool: str) -> str:
    """Return the id of the part with the output of a tool call that runs."""
    return "output:" + tool


class OpenPart:
    """One text that grows. `version` changes when it was replaced, so that readers need it whole again."""

    def __init__(self, identity: str, kind: str, parent: Optional[str], tool: Optional[str]) -> None:
        self.identity = identity
        self.kind = kind
        self.parent = parent
        self.tool = tool
        self.title = ""
        self.text = ""
        self.skipped = 0
        "Characters before `text` that are not kept."
        self.seq: Optional[int] = None
        "Number of the event with the complete text."
        self.version = 0
        self.ended_at = 0.0
        self._pending = ""

    @property
    def length(self) -> int:
        return self.skipped + len(self.text)

    def add(self, text: str) -> None:
        """Add to the end. Of an output, leave out codes for a terminal, also those that come in pieces."""
        if self.kind == OUTPUT:
            text = self._pending + text
            open_code = OPEN_COLOUR.search(text)
            self._pending = open_code.group() if open_code else ""
            text = text[: len(text) - len(self._pending)]
            text = COLOUR.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        self.text += text
        self._cut()

    def show(self, text: str, skipped: int) -> None:
        """Replace the text, which may be the old one with more at its end."""
        if skipped == self.skipped and text.startswith(self.text):
            self.text = text
        else:
            self.text, self.skipped = text, max(0, skipped)
            self.version += 1
        self._cut()

    def _cut(self) -> None:
        if len(self.text) > 2 * KEPT:
            self.skipped += len(self.text) - KEPT
            self.text = self.text[-KEPT:]

    def since(self, length: int) -> Optional[str]:
        """Return what was added after so many characters; None if that is not kept any more."""
        at = length - self.skipped
        return self.text[at:] if 0 <= at <= len(self.text) else None

    @property
    def line(self) -> str:
        """Its last line that is not empty, shortened at its beginning."""
        line = self.text[-2000:].rstrip().rpartition("\n")[2].strip() or self.title
        return line if len(line) <= MAX_LINE else "…" + line[-MAX_LINE:]


class OpenParts:
    """The parts of one run, oldest first. `changed` is called after each change."""

    def __init__(self) -> None:
        self.parts: Dict[str, OpenPart] = {}
        self.changed: Callable[[], None] = lambda: None
        self._newest = ""

    def begin(
        self, identity: str, kind: str, *, parent: Optional[str] = None, tool: Optional[str] = None
    ) -> OpenPart:
        """Return the open part with this id; a new one if there is none."""
        identity = identity[:MAX_ID]
        part = self.parts.get(identity)
        if part is None or part.seq is not None:
            part = self.parts[identity] = OpenPart(identity, kind, parent, tool)
            while len(self.parts) > MOST_PARTS:
                self.parts.pop(next(iter(self.parts)))
            self._note(part)
        return part

    def add(self, identity: str, text: str) -> None:
        """Add to an open part; does nothing if it has ended."""
        part = self.open_part(identity)
        if part and text:
            part.add(text)
            self._note(part)

    def show(self, identity: str, text: str, skipped: int = 0) -> None:
        part = self.open_part(identity)
        if part and (text, skipped) != (part.text, part.skipped):
            part.show(text, skipped)
            self._note(part)

    def entitle(self, identity: str, title: str) -> None:
        part = self.open_part(identity)
        if part and title != part.title:
            part.title = title
            part.version += 1
            self._note(part)

    def open_part(self, identity: str) -> Optional[OpenPart]:
        part = self.parts.get(identity[:MAX_ID])
        return part if part and part.seq is None else None

    def finish(self, identity: str, seq: int) -> None:
        """Note that the event with this number has the complete text."""
        part = self.open_part(identity)
        if part:
            part.seq, part.ended_at = seq, time.monotonic()
            self.expire()
            self.changed()

    def drop(self, identity: str) -> None:
        """Remove an open part of which no event comes."""
        if self.open_part(identity):
            self.parts.pop(identity[:MAX_ID])
            self.changed()

    def drop_where(self, condition: Callable[[OpenPart], bool]) -> None:
        """Remove the open parts that meet the condition."""
        for part in list(self.parts.values()):
            if part.seq is None and condition(part):
                self.drop(part.identity)

    def settle(self, event: RunEvent, seq: int) -> None:
        """Mark a new event with the part that it completes, and end that part."""
        if event["kind"] == "text" or event["kind"] == "thinking":
            identity = event.get("part") or ""
        elif event["kind"] == "tool":
            identity = call_part(str(event["id"]))
        elif event["kind"] == "tool_result":
            identity = output_part(str(event["id"]))
        else:
            return
        if self.open_part(identity):
            event["part"] = identity[:MAX_ID]
            self.finish(identity, seq)
        else:
            event.pop("part", None)

    def expire(self) -> None:
        """Forget parts whose event must have arrived everywhere."""
        oldest = time.monotonic() - HELD_SECONDS
        for part in list(self.parts.values()):
            if part.seq is not None and part.ended_at < oldest:
                del self.parts[part.identity]
                self.changed()

    def replace(self, given: List[LivePart], *, whole: bool) -> None:
        """Take over what a cursor has told about another copy. `whole`: there are no other parts there."""
        if whole:
            names = {each["id"] for each in given}
            for identity in [name for name in self.parts if name not in names]:
                del self.parts[identity]
        for each in given:
            self._take(each)
        self.changed()

    def _take(self, given: LivePart) -> None:
        identity, kind = given["id"][:MAX_ID], given["kind"]
        if given.get("gone"):
            self.parts.pop(identity, None)
            return
        part = self.parts.get(identity)
        if part is None and given.get("more"):
            return  # its beginning is not known: the whole part follows, or there are too many
        if part is None or not given.get("more"):
            parent, tool = (given.get("parent") or "")[:MAX_ID], (given.get("tool") or "")[:MAX_ID]
            old = self.parts.get(identity)
            part = OpenPart(identity, kind if kind in KINDS else TEXT, parent or None, tool or None)
            part.version = old.version + 1 if old else 0
            part.skipped = max(0, given.get("skipped") or 0)
            if not old and len(self.parts) >= MOST_PARTS:
                return
            self.parts[identity] = part
        part.title = given.get("title") or part.title
        part.text += given.get("text") or ""
        part._cut()
        if part.seq is None and given.get("seq") is not None:
            part.seq, part.ended_at = given["seq"], time.monotonic()
        self._newest = identity

    def clear(self) -> None:
        self.parts.clear()
        self.changed()

    @property
    def line(self) -> str:
        """The last line of what is being written now; empty if that is nothing."""
        part = self.open_part(self._newest)
        return part.line if part else ""

    def _note(self, part: OpenPart) -> None:
        self._newest = part.identity
        self.changed()


class PartCursor:
    """What one reader has of the parts."""

    def __init__(self) -> None:
        self._known: Dict[str, Tuple[OpenPart, int, int, Optional[int]]] = {}

    def changes(self, source: OpenParts) -> List[LivePart]:
        """Return what has changed since the last call, up to a limit: the rest comes with the next call."""
        found: List[LivePart] = [
            {"id": name, "kind": known[0].kind, "gone": True}
            for name, known in self._known.items()
            if name not in source.parts
        ]
        for change in found:
            del self._known[change["id"]]
        size = 0
        for part in source.parts.values():
            change_of_part = self._change(part)
            if change_of_part is not None:
                found.append(change_of_part)
                size += len(change_of_part.get("text") or "")
            if size >= MOST_AT_ONCE:
                break
        return found

    def _change(self, part: OpenPart) -> Optional[LivePart]:
        state = (part, part.version, part.length, part.seq)
        known = self._known.get(part.identity)
        if known == state:
            return None
        self._known[part.identity] = state
        more = part.since(known[2]) if known and known[:2] == state[:2] else None
        change: LivePart = {"id": part.identity, "kind": part.kind}
        if more is not None:
            change["more"] = True
            change["text"] = more
        else:
            change["text"] = part.text[-KEPT:]
            change["skipped"] = part.length - len(change["text"])
            change["title"] = part.title
            if part.parent:
                change["parent"] = part.parent
            if part.tool:
                change["tool"] = part.tool
        if part.seq is not None:
            change["seq"] = part.seq
        return change
