"""What Codex is writing at the moment: the deltas of its messages, thoughts and commands."""

from __future__ import annotations

from contextlib import suppress
from typing import Callable, Dict, Optional, Set

from ...base.partial import MALFORMED, OUTPUT, TEXT, THINKING, OpenPart, OpenParts, output_part
from ...wire import Json

KINDS = {"agentMessage": TEXT, "plan": TEXT, "reasoning": THINKING}
PARTIAL = (
    *("item/agentMessage/delta", "item/plan/delta", "item/commandExecution/outputDelta"),
    *("item/reasoning/summaryTextDelta", "item/reasoning/textDelta", "item/reasoning/summaryPartAdded"),
)


def is_partial(line: Json) -> bool:
    """Whether a line only repeats a part of what another line has whole."""
    return line.get("method") in PARTIAL


class CodexLive:
    """Fills the open parts of a run from the CLI's notifications. `parent_of` gives their sub-agent."""

    def __init__(self, parts: OpenParts, parent_of: Callable[[Json], Optional[str]]) -> None:
        self._parts = parts
        self._parent_of = parent_of
        self._summed_up: Set[str] = set()
        "Thoughts with a summary. Their full text is not shown, as in events."
        self._handlers: Dict[str, Callable[[Json], None]] = {
            "item/started": self._started,
            "item/completed": self._completed,
            "item/agentMessage/delta": self._add,
            "item/plan/delta": self._add,
            "item/reasoning/summaryTextDelta": self._add_summary,
            "item/reasoning/summaryPartAdded": self._begin_paragraph,
            "item/reasoning/textDelta": self._add_thought,
            "item/commandExecution/outputDelta": self._add_output,
            "error": self._break_off,
            "turn/completed": self._end_turn,
        }

    def feed(self, line: Json) -> bool:
        """Note a line. Return whether it is only partial, so that nobody else needs it."""
        handler = self._handlers.get(str(line.get("method")))
        if handler and "id" not in line:
            with suppress(*MALFORMED):
                handler(line.get("params") or {})
        return is_partial(line)

    def _started(self, params: Json) -> None:
        item, parent = params["item"], self._parent_of(params)
        identity = str(item["id"])
        if item["type"] == "commandExecution":
            self._parts.begin(output_part(identity), OUTPUT, parent=parent, tool=identity)
        elif item["type"] in KINDS:
            self._parts.begin(identity, KINDS[item["type"]], parent=parent)
            self._parts.add(identity, str(item.get("text") or ""))

    def _completed(self, params: Json) -> None:
        """Remove the part of a text that is empty, for which there will be no event."""
        item = params["item"]
        whole = item.get("text") or "".join(item.get("summary") or item.get("content") or [])
        if item["type"] in KINDS and not whole:
            self._parts.drop(str(item["id"]))
        self._summed_up.discard(str(item["id"]))

    def _add(self, params: Json) -> None:
        self._parts.add(str(params["itemId"]), str(params.get("delta") or ""))

    def _add_summary(self, params: Json) -> None:
        identity = str(params["itemId"])
        part = self._parts.open_part(identity)
        if part and identity not in self._summed_up:
            self._summed_up.add(identity)
            self._parts.show(identity, "")
        self._add(params)

    def _begin_paragraph(self, params: Json) -> None:
        if params.get("summaryIndex"):
            self._parts.add(str(params["itemId"]), "\n\n")

    def _add_thought(self, params: Json) -> None:
        if str(params["itemId"]) not in self._summed_up:
            self._add(params)

    def _add_output(self, params: Json) -> None:
        self._parts.add(output_part(str(params["itemId"])), str(params.get("delta") or ""))

    def _break_off(self, params: Json) -> None:
        """Remove the texts of a broken answer. The CLI asks the model again, or gives up."""
        self._drop_of(params, lambda part: part.kind != OUTPUT)

    def _end_turn(self, params: Json) -> None:
        self._drop_of(params, lambda _part: True)

    def _drop_of(self, params: Json, condition: Callable[[OpenPart], bool]) -> None:
        parent = self._parent_of(params)
        self._parts.drop_where(lambda part: part.parent == parent and condition(part))
