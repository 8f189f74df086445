"""Lines of a CLI that are broken in any way harm only themselves: the runner goes on."""

from __future__ import annotations

import asyncio
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from aitask.tests.lab.mutations import MUTATIONS, mutated, nested
from workspaces.hostkit.files import InvalidJson, loads
from workspaces.hostkit.folder import RunFolder
from workspaces.hostkit.journal import MAX_LINE, Journal, read_events
from workspaces.hostkit.outcome import Outcome
from workspaces.hostkit.run.cli import CliProcess
from workspaces.hostkit.run.runner import Runner

from .replay import SAMPLES, spec

pytestmark = pytest.mark.slow

CLIS = {"claude_code": "claude", "codex": "codex"}
LAST = {
    "claude_code": {
        "type": "assistant",
        "message": {"id": "last", "role": "assistant", "content": [{"type": "text", "text": "still here"}]},
    },
    "codex": {
        "method": "item/completed",
        "params": {
            "threadId": "t",
            "turnId": "t",
            "item": {"type": "agentMessage", "id": "last", "text": "still here"},
        },
    },
}


def recorded(prefix: str) -> list[bytes]:
    lines = [
        line for path in sorted(SAMPLES.glob(f"{prefix}-*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    return [line for line in lines if len(line) < 20_000]


class Feeding:
    """A runner that is fed with lines, without a CLI."""

    def __init__(self, backend: str) -> None:
        self.folder = RunFolder(tempfile.mkdtemp(prefix="mutated-"))
        self.runner = Runner(self.folder, spec(backend=backend, worktree="/w/a", title="x"), 0)
        self.runner.over = asyncio.Event()
        runner = self.runner
        self.process = CliProcess(self.folder.raw, runner._on_line, runner._note_unread, runner.over.set)
        runner.process = self.process
        runner.agent.begin("do it")

    def feed(self, data: bytes) -> None:
        for line in data.split(b"\n"):
            self.process._take(line + b"\n")

    def events(self) -> list[dict[str, Any]]:
        return list(read_events(self.folder.events))


@pytest.mark.parametrize("backend", CLIS)
def test_two_thousand_mutated_lines_leave_the_runner_going(backend: str) -> None:
    feeding = Feeding(backend)

    @settings(MUTATIONS, max_examples=2000)
    @given(mutated(partial(recorded, CLIS[backend])))
    def feed(data: bytes) -> None:
        feeding.feed(data)

    feed()
    feeding.feed(json.dumps(LAST[backend]).encode())
    events = feeding.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert "still here" in [event.get("text") for event in events]
    assert feeding.runner.agent.settled in (True, False)
    feeding.runner.close(Outcome("failed", "other"))
    assert feeding.folder.read_result()


@pytest.mark.parametrize("backend", CLIS)
@pytest.mark.parametrize("depth", [300, 700, 5000, 100_000])
def test_a_line_that_is_nested_deep_becomes_an_event_of_bounded_depth(backend: str, depth: int) -> None:
    feeding = Feeding(backend)
    feeding.feed(b'{"type":"assistant","method":"strange","message":{"deep":' + nested(depth) + b"}}")
    for line in feeding.folder.events.read_bytes().splitlines():
        assert loads(line)["seq"]
    feeding.feed(json.dumps(LAST[backend]).encode())
    assert "still here" in [event.get("text") for event in feeding.events()]


def test_a_tool_call_that_is_nested_deep_is_recorded_without_its_depths() -> None:
    feeding = Feeding("claude_code")
    call = b'{"type":"tool_use","id":"t","name":"mcp__x__y","input":{"deep":' + nested(600) + b"}}"
    feeding.feed(b'{"type":"assistant","message":{"id":"m","role":"assistant","content":[' + call + b"]}}")
    (tool,) = [event for event in feeding.events() if event["kind"] == "tool"]
    assert tool["name"] == "mcp__x__y"
    assert tool["cut"]
    assert "nested too deep" in json.dumps(tool, ensure_ascii=False)


@pytest.mark.parametrize(
    "value",
    [
        {f"key {number}": "value" for number in range(100_000)},
        {"k" * 3_000_000: 1},
        [[["x"] * 50] * 50] * 100,
        [1] * 1_000_000,
        {"a": float("nan"), "b": 10**300, "c": {1, 2}, 5: b"bytes"},
    ],
    ids=["many keys", "long key", "broad", "long list", "odd types"],
)
def test_whatever_is_recorded_is_a_line_that_can_be_read(value: Any) -> None:
    feeding = Feeding("claude_code")
    feeding.runner.journal.add({"kind": "tool", "id": "t", "name": "t", "title": "t", "input": value})
    (line,) = feeding.folder.events.read_bytes().splitlines()
    assert len(line) <= MAX_LINE
    assert loads(line)["seq"] == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b"NaN",
        b"1" * 500,
        nested(65),
        b"[" * 10**6,
    ],
    ids=lambda text: str(text[:12]),
)
def test_what_is_no_json_of_bounded_depth_is_refused_with_one_exception(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        loads(text)


def test_a_number_that_is_too_large_for_a_float_keeps_its_text() -> None:
    assert loads('{"a":[1e999,-1e400,1.5]}') == {"a": ["1e999", "-1e400", 1.5]}


def test_an_event_of_a_forged_number_does_not_change_those_of_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.add({"kind": "notice", "text": "one"})
    with journal.path.open("ab") as out:
        out.write(b'{"seq":2000000000,"kind":"text"}\nno json\n')
    again = Journal(journal.path)
    again.add({"kind": "notice", "text": "two"})
    assert json.loads(journal.path.read_bytes().splitlines()[-1])["seq"] == 4
