"""Which messages the CLI has taken: exactly where it says so, and by what it replays in older versions."""

from __future__ import annotations

from typing import List, Set

from ...base.agent import Agent
from ...wire import Json

NOT_TAKEN = "The turn ended before the agent took it."


class Deliveries:
    """Follows `command_lifecycle` lines: queued, then started, then completed or cancelled."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._early: List[str] = []
        self._announced = False
        self._replayed = False
        self.exact = False
        self.withdrawn: Set[str] = set()
        self.leaving = False
        self.compactions: Set[str] = set()

    def note(self, line: Json) -> None:
        self.exact = True
        wire, state = str(line.get("command_uuid")), line.get("state")
        if state in ("completed", "cancelled"):
            self.compactions.discard(wire)
        if state == "started":
            self._take(wire)
        elif state == "cancelled" and self.leaving:
            self._agent.waiting_messages.pop(wire, None)  # the app delivers it to the next run
        elif state == "cancelled" and wire not in self.withdrawn:
            self._agent.return_message(wire, NOT_TAKEN)

    def _take(self, wire: str) -> None:
        """The prompt is taken before the CLI has said which session it has."""
        if self._announced:
            self._agent.taken(wire)
        else:
            self._early.append(wire)

    def announce(self) -> None:
        """The start of the session is reported: report what was taken before."""
        self._announced = True
        for wire in self._early:
            self._agent.taken(wire)
        self._early.clear()

    def take_prompt(self) -> None:
        """Mark the prompt as taken when the first turn starts. It is replayed only with the first answer."""
        self._replayed = True
        self._take_first()

    def note_replay(self, wire: str) -> None:
        """Mark a message as taken that the CLI has repeated. It also repeats the output of commands."""
        self._replayed = self._replayed or wire in self._agent.waiting_messages
        self._agent.taken(wire)

    def end_turn(self, result: Json) -> None:
        """Mark the first message as taken if the turn ended before the CLI replayed any."""
        of_task = (result.get("origin") or {}).get("kind") == "task-notification"
        of_compaction = bool(self.compactions) and not result.get("num_turns")
        if not (self._replayed or of_task or of_compaction or self.exact):
            self._take_first()
        self._replayed = False

    def _take_first(self) -> None:
        if self._agent.waiting_messages:
            self._agent.taken(next(iter(self._agent.waiting_messages)))

    def settle(self) -> None:
        """Nothing is queued any more. Older versions do not say when a compaction has ended."""
        if not self.exact:
            self.compactions.clear()
