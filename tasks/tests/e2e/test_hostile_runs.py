"""Runs whose agents write what nobody can read: others, and the pages of the app, go on."""

from __future__ import annotations

import json
import time
from base64 import b64encode

import pytest

from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.web_session import WebSession
from tasks.tests.e2e.world import World

pytestmark = [pytest.mark.cli, pytest.mark.one_database]

FORGER = r"""
import os
path = os.path.join(os.environ["AITASK_RUN_FOLDER"], "events.jsonl")
lines = [b"no json", b"\0" * 4096, b"[" * 100_000, b'{"kind":"text","text":"x"}']
lines += [b'{"seq":"5","kind":"text"}', b'{"seq":1,"kind":"finished"}', b'{"seq":2147483647,"kind":"text"}']
lines += [b'{"seq":1e400}', b"x" * 2_000_000, b"\xff\xfe", b"5", b"{}", b""]
lines += [b'{"seq":3,"kind":"tool","input":' + b"[" * 600 + b"]" * 600 + b"}"]
with open(path, "ab") as out:
    out.write(b"\n".join(lines) + b"\n")
"""
FORGE = (
    f"@bash echo {b64encode(FORGER.encode()).decode()} | base64 -d | python3 -\n@text after the forged lines"
)


def test_forged_lines_harm_neither_their_run_nor_another(world: World) -> None:
    workspace = world.add_workspace("forged", permission_mode="full")["id"]
    forger = world.start(FORGE, "claude_code", workspace=workspace)
    neighbour = world.succeed("@text Hello\n@write a.txt words")
    ended = world.api.wait_for_run(forger["id"], timeout=60)
    assert ended["state"] == "succeeded", ended["reason"]
    events = wait_for(lambda: all_of(world, forger["id"]), 20, "the last event")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    unread = [event for event in events if event["kind"] == "raw" and event.get("unread")]
    assert len(unread) >= 14
    assert "after the forged lines" in [event.get("text") for event in events]
    assert not [event for event in world.events(neighbour) if event["kind"] == "raw"]


def all_of(world: World, run: int) -> list[dict[str, object]]:
    events: list[dict[str, object]] = world.api.events(run)
    return events if events and events[-1]["kind"] == "finished" else []


def test_a_tool_call_that_is_nested_deep_is_one_odd_entry(world: World) -> None:
    deep: object = 1
    for _ in range(600):
        deep = [deep]
    call = json.dumps({"command": "true", "deep": deep})
    workspace = world.add_workspace("deep", permission_mode="full")["id"]
    run = world.finish(f"@tool Bash {call}\n@text after it", "claude_code", workspace=workspace)
    assert run["state"] == "succeeded", run["reason"]
    assert "after it" in [event.get("text") for event in world.events(run)]


def test_code_that_keeps_pygments_busy_for_ever_holds_no_page(world: World) -> None:
    run = world.succeed('@text See:\\n```scala\\n"' + "\\\\" * 60 + "\\n```")
    said = next(event["text"] for event in world.events(run, "text"))
    assert said.count("\\") >= 30
    session = WebSession(world.app)
    began = time.monotonic()
    page = session.get(f"/tasks/{run['task']}")
    assert time.monotonic() - began < 8  # the page has more to do than this text, and others use the machine
    assert "\\" * 30 in page
