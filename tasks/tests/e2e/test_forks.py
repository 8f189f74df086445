"""Forks of a conversation, and new sessions in place of one that can't be resumed, with the real CLIs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab import endpoint
from aitask.tests.lab.client import ApiError
from tasks.tests.e2e.world import World

pytestmark = [pytest.mark.cli, pytest.mark.slow, pytest.mark.timeout(300)]
Json = dict[str, Any]


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """What the model has been given, request by request."""
    found: list[Json] = []
    begin = endpoint._Answer.__init__

    def noted(self: Any, handler: Any, api: Any, body: Json) -> None:
        found.append(body)
        begin(self, handler, api, body)

    monkeypatch.setattr(endpoint._Answer, "__init__", noted)
    return found


def again(world: World, run: Json, **body: Any) -> Json:
    """Run the task again, and wait for the end."""
    queued = world.api.post(f"/api/tasks/{run['task']}/run", body)
    ended: Json = world.api.wait_for_run(queued["id"], timeout=90)
    return ended


def seq_of(world: World, run: Json, kind: str, text: str) -> int:
    found = next(event for event in world.events(run, kind) if text in event["text"])
    return int(found["seq"])


def texts_of(world: World, session: str) -> list[str]:
    return [entry.prompt for entry in world.endpoint.ledger.turns(session)]


def test_a_fork_knows_what_came_before_alone(world: World, backend: str, bodies: list[Json]) -> None:
    first = world.succeed("@text The first answer.\n@write kept.txt kept", backend)
    second = again(world, first, prompt="@text The second answer.", resume=True)
    assert second["cli_session"] == first["cli_session"]
    place = {"run": 1, "seq": seq_of(world, first, "text", "first answer")}
    fork = again(world, first, prompt="@text A fork.", fork=place)
    assert fork["state"] == "succeeded", fork["reason"]
    assert fork["cli_session"] not in ("", first["cli_session"])
    assert world.events(fork, "started")[0]["forked_from"] == first["cli_session"]
    assert "A fork." in [event["text"].strip() for event in world.events(fork, "text")]
    assert (world.worktree(fork) / "kept.txt").exists()
    assert fork["input_tokens"] == world.billed(fork).input_tokens
    history = json.dumps(bodies[-1])
    assert "The first answer." in history
    assert "The second answer." not in history


def test_a_fork_before_a_message_leaves_it_out(world: World, backend: str, bodies: list[Json]) -> None:
    first = world.succeed("@text Begun.", backend)
    second = again(world, first, prompt="A message to take back.\n@text Wrong.", resume=True)
    place = {"run": 2, "seq": seq_of(world, second, "message", "take back")}
    fork = again(world, first, prompt="@text Better.", fork=place)
    assert fork["state"] == "succeeded", fork["reason"]
    history = json.dumps(bodies[-1])
    assert "Begun." in history
    assert "take back" not in history
    third = again(world, first, prompt="@text Further.", resume=True)
    assert third["cli_session"] == fork["cli_session"]


def test_the_first_prompt_can_not_be_forked(world: World, backend: str) -> None:
    run = world.succeed("@text Alone.", backend)
    place = {"run": 1, "seq": seq_of(world, run, "message", "Alone")}
    with pytest.raises(ApiError, match="nothing before"):
        again(world, run, fork=place)


def test_a_session_whose_transcript_is_gone_is_rescued(world: World, backend: str) -> None:
    environment = world.environment()
    workspace = world.add_workspace(f"gone {backend}", environment=environment)["id"]
    first = world.succeed("@text I have begun.\n@write a.txt a", backend, workspace=workspace)
    for folder in (".claude/projects", ".codex/sessions"):
        shutil.rmtree(Path(environment["HOME"]) / folder, ignore_errors=True)
    failed = again(world, first, prompt="@text Go on.", resume=True)
    assert failed["state"] == "failed"
    assert world.api.get(f"/api/runs/{failed['id']}")["reason"]
    rescued = again(world, first, prompt="@text Rescued.", rescue=True)
    assert rescued["state"] == "succeeded", rescued["reason"]
    assert rescued["cli_session"] != first["cli_session"]
    prompt = texts_of(world, rescued["cli_session"])[0]
    assert "> I have begun." in prompt
    assert "> a.txt (add)" in prompt


def test_a_session_that_is_refused_each_time_is_rescued(world: World, backend: str) -> None:
    first = world.finish("@text Half done.\n@write b.txt b\n@error 400", backend)
    assert first["state"] == "failed"
    for _ in range(2):
        failed = again(world, first, prompt="Go on.\n@error 400", resume=True)
        assert failed["state"] == "failed"
    rescued = again(world, first, prompt="@text Rescued.", rescue=True)
    assert rescued["state"] == "succeeded", rescued["reason"]
    assert "> Half done." in texts_of(world, rescued["cli_session"])[0]
