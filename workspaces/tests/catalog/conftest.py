from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from workspaces import hosts
from workspaces.models import Host, ModelList


class Door:
    """A host with the test's answers, as a replacement of `hosts.get`."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.error: hosts.HostError | None = None
        self.calls: list[dict[str, Any]] = []

    def hello(self, *, force: bool = False) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {}

    def call(self, verb: str, params: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        assert verb == "models"
        self.calls.append(params)
        return {name: self.answers.get(name, missing(name)) for name in ("claude_code", "codex")}


def model(name: str, *efforts: str, default: bool = False) -> dict[str, Any]:
    return {
        "id": name,
        "name": name.title(),
        "description": f"{name} is good",
        "is_default": default,
        "reasoning_efforts": [{"id": effort, "description": ""} for effort in efforts],
        "default_reasoning_effort": efforts[0] if efforts else None,
        "resolves_to": name,
    }


def offers(*models: dict[str, Any], logged_in: bool | None = True, **more: Any) -> dict[str, Any]:
    """Return a successful answer of a CLI."""
    answer = {"path": "/bin/cli", "version": "1.0", "account": "max", "logged_in": logged_in, "error": None}
    return {**answer, "models": list(models), "fingerprint": "f1", **more}


def missing(name: str) -> dict[str, Any]:
    return offers(path=None, error=f"{name} is not installed.", logged_in=None)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    made = Door()
    monkeypatch.setattr(hosts, "get", lambda address: made)
    return made


@pytest.fixture
def host() -> Host:
    return Host.objects.get_or_create(key="local", defaults={"kind": "local"})[0]


def keep(
    host: Host, backend: str, *models: dict[str, Any], environment: str = "", **fields: Any
) -> ModelList:
    """Create a list as it is after the CLI has answered."""
    now = timezone.now()
    given = {"models": list(models), "stale": False, "present": True, "fetched_at": now, "asked_at": now}
    return ModelList.objects.create(
        host=host, backend=backend, environment=environment, **{**given, "logged_in": True, **fields}
    )


@pytest.fixture
def lists(host: Host) -> dict[str, ModelList]:
    """The model lists of this machine: two models of Claude Code, two of Codex."""
    claude = (model("default", "low", "high", default=True), model("haiku"))
    codex = (model("gpt-a", "medium", "ultra", default=True), model("gpt-b", "low"))
    return {"claude_code": keep(host, "claude_code", *claude), "codex": keep(host, "codex", *codex)}
