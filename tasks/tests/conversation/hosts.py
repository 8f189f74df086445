"""The boundary of these tests: a host whose runner answers as it is told."""

from __future__ import annotations

from typing import Any

from tasks.models import Outgoing, Run
from workspaces.hosts import HostError

AWAY = HostError("cloud does not answer.", code="timeout", retryable=True)
ASKED = {
    "id": "r1",
    "kind": "approval",
    "tool": "Bash",
    "title": "ls",
    "input": {"command": "ls"},
    "can_edit": True,
}


class FakeHost:
    """The boundary: a runner that takes each key once."""

    def __init__(self) -> None:
        self.commands: list[Any] = []
        self.answers: list[Any] = []

    def call(self, verb: str, params: Any, timeout: float = 30) -> Any:
        answer = self.answers.pop(0) if self.answers else {"ok": True}
        if isinstance(answer, Exception):
            raise answer
        self.commands.append(params["command"])
        return answer

    @property
    def texts(self) -> list[str]:
        return [command["text"] for command in self.commands]


def states(run: Run) -> list[str]:
    return list(Outgoing.objects.filter(run=run).order_by("pk").values_list("state", flat=True))
