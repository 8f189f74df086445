"""The items of Codex's threads: messages, tool calls, compactions, plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...wire import Json
from .background import CodexWorks
from .compaction import CodexCompaction

if TYPE_CHECKING:
    from .agent import Codex


class CodexItems:
    """Passes items on to what follows them. `answer` is the last message of the agent in its turn."""

    def __init__(self, agent: "Codex", works: CodexWorks, compaction: CodexCompaction) -> None:
        self._agent = agent
        self._works = works
        self._compaction = compaction
        self.answer = ""

    def started(self, params: Json) -> None:
        item = params["item"]
        self._agent.progress()
        if self._agent.is_own(params):
            self._agent.ledger.note_begin(item)
        self._works.item_started(item, self._thread(params))
        if item["type"] == "userMessage":
            self._agent.taken(str(item.get("clientId")), params.get("turnId"))
        elif item["type"] == "contextCompaction":
            if self._agent.is_own(params):
                self._compaction.started()
                self._agent.ledger.note_compaction(begins=True)
        else:
            self._agent.translator.started(item, self.parent(params))

    def completed(self, params: Json) -> None:
        item, is_own = params["item"], self._agent.is_own(params)
        self._agent.progress()
        self._agent.ledger.note_end(item)
        self._works.item_completed(item, self._thread(params))
        if item["type"] == "contextCompaction" and is_own:
            self._compaction.completed()
            self._agent.ledger.note_compaction(begins=False)
        self._agent.translator.turn = params.get("turnId")
        if is_own and item["type"] == "agentMessage":
            self.answer = str(item.get("text") or "")
        if is_own and self._agent.plans.note(item):
            return
        self._agent.translator.completed(item, self.parent(params))

    def parent(self, params: Json) -> Optional[str]:
        """Return the call that has started the sub-agent; None for the agent itself."""
        thread = self._thread(params)
        return None if thread is None else self._works.call_of(thread)

    def _thread(self, params: Json) -> Optional[str]:
        return None if self._agent.is_own(params) else str(params["threadId"])
