"""The kinds of runs of the measurement of many runs: their scripts, and what is done while they work."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import BACKENDS, World

Run = dict[str, Any]
Poke = Callable[[World, Run], None]
AGENT = '@tool Agent {"prompt": "@bash true", "description": "help", "subagent_type": "general-purpose"%s}'
IN_BACKGROUND = '@tool Bash {"command": "sleep 1; echo x", "description": "later", "run_in_background": true}'
HELPER = json.dumps({"task_name": "helper", "message": "Look."})
TOUCHED = "touch reviewed.txt"
ESCALATED = {"cmd": TOUCHED, "sandbox_permissions": "require_escalated", "justification": "for a test"}
HANGS = "@bash echo a\n@lines 600 1\n@text never"
"Claude Code refuses a plain `sleep 600`."
KILLS = ("agent killed", "runner killed")


def has_events(world: World, run: Run, kind: str, count: int) -> None:
    wait_for(lambda: len(world.events(run, kind)) >= count, 120, f"{count} events {kind} of run {run['id']}")


def interrupt_answer(world: World, run: Run) -> None:
    def answers() -> bool:
        session = world.api.run(run["id"])["cli_session"]
        return bool(session) and world.endpoint.is_answering(session)

    wait_for(answers, 120, f"an answer to run {run['id']}")
    time.sleep(0.5)
    world.api.post(f"/api/runs/{run['id']}/interrupt")


def interrupt_command(world: World, run: Run) -> None:
    has_events(world, run, "tool", 2)
    say(world, run, "@bash echo two\n@text on", "after_turn")
    world.api.post(f"/api/runs/{run['id']}/interrupt")


def stop(world: World, run: Run) -> None:
    has_events(world, run, "tool", 2)
    world.api.post(f"/api/tasks/{run['task']}/cancel")


def kill_agent(world: World, run: Run) -> None:
    has_events(world, run, "tool", 2)
    kill(world.events(run, "started")[0]["pid"], ("claude", "codex"))


def kill_runner(world: World, run: Run) -> None:
    has_events(world, run, "tool", 2)
    kill(processes.parent_of(world.events(run, "started")[0]["pid"]), ("hostkit",))


def kill(pid: int, names: tuple[str, ...]) -> None:
    """Kill a process, if it is one of these: it may have ended, and its number may be another one's."""
    command = Path(f"/proc/{pid}/cmdline").read_text()
    if not any(name in command for name in names):
        raise ProcessLookupError(f"process {pid} is another one")
    os.kill(pid, signal.SIGKILL)


def say(world: World, run: Run, text: str, when: str) -> None:
    world.api.post(f"/api/runs/{run['id']}/message", {"text": text, "when": when})


def steer(world: World, run: Run) -> None:
    has_events(world, run, "tool", 1)
    say(world, run, "a word", "now")


def add_turn(world: World, run: Run) -> None:
    has_events(world, run, "tool", 1)
    say(world, run, "@bash echo two\n@text then", "after_turn")


def compact(world: World, run: Run) -> None:
    has_events(world, run, "tool", 1)
    world.api.post(f"/api/runs/{run['id']}/compact")


def command(world: World, run: Run) -> None:
    """Send a local command, one that a run may not use, which the agent gets as words, and a message."""
    has_events(world, run, "tool", 1)
    for text in ("/usage", "/clear", "@bash echo new\n@text then"):
        say(world, run, text, "after_turn")


def change_model(world: World, run: Run) -> None:
    has_events(world, run, "tool", 1)
    world.api.post(f"/api/runs/{run['id']}/settings", {"model": OTHER_MODELS[run["backend"]]})
    say(world, run, "@bash echo two\n@text then", "after_turn")


@dataclass(frozen=True)
class Kind:
    """A kind of run: its script, and what is done while it works.

    It is a fork of an earlier message if it `forks` and there is one. `model` is set for Codex: its default
    model has no sub-agents.
    """

    script: str
    poke: Poke | None = None
    backends: tuple[str, ...] = BACKENDS
    forks: bool = False
    model: str = ""


CLAUDE, CODEX = ("claude_code",), ("codex",)
OTHER_MODELS = {"claude_code": "haiku", "codex": "gpt-6-sol"}
SLOW_COMMAND = "@bash sleep 2; echo a\n@text ok"
KINDS = {
    "plain": Kind("@text hello"),
    "tools": Kind("@write a.txt a\n@bash echo b\n@text over"),
    "thinking": Kind("@think about it\n@text so"),
    "failed": Kind("@bash echo f\n@error 400"),
    "retried": Kind("@error 500 1\n@bash echo e\n@text over"),
    "throttled": Kind("@error 429 1\n@text over"),
    "cut": Kind("@cut 1\n@bash echo c\n@text over"),
    "steered": Kind(SLOW_COMMAND, steer),
    "two turns": Kind(SLOW_COMMAND, add_turn),
    "compacted": Kind("@bash echo a\n@lines 10 1\n@text ok", compact),
    "answer interrupted": Kind("@stream 300 0.1", interrupt_answer),
    "command interrupted": Kind(HANGS, interrupt_command),
    "stopped": Kind(HANGS, stop),
    "agent killed": Kind(HANGS, kill_agent),
    "runner killed": Kind(HANGS, kill_runner),
    "sub-agent": Kind(AGENT % ', "run_in_background": false' + "\n@text over", None, CLAUDE),
    "sub-agent in background": Kind(AGENT % "" + "\n@text over", None, CLAUDE),
    "command in background": Kind(f"{IN_BACKGROUND}\n@text started", None, CLAUDE),
    "commands": Kind(SLOW_COMMAND, command, CLAUDE),
    "forked": Kind("@bash echo fork\n@text over", forks=True),
    "fork interrupted": Kind(HANGS, stop, forks=True),
    "fork with another model": Kind("@bash echo f\n@text over", None, CODEX, True, "gpt-6-sol"),
    "other model": Kind(SLOW_COMMAND, change_model),
    "sub-agent of Codex": Kind(
        f"@tool collaboration.spawn_agent {HELPER}\n@text over", None, CODEX, model="gpt-6-sol"
    ),
    "reviewed": Kind(f"@tool exec_command {json.dumps(ESCALATED)}\n@text over", None, CODEX),
}
