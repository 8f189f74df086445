"""Both real CLIs: our sums are what the scripted endpoint has billed, and the audit agrees.

`usage/tests/ledger.py` does the same for as many runs as it is told.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.ledger import COUNTED, Entry, Tokens, total
from aitask.tests.lab.tools import OLDEST_CLIS
from tasks.tests.e2e.world import BACKENDS, World, tokens_of
from usage.tests.kinds import HANGS, OTHER_MODELS, kill_agent, kill_runner, stop
from usage.tests.ledger import Session, measured, planned, summary, unexplained

pytestmark = [pytest.mark.cli, pytest.mark.slow]

Run = dict[str, Any]
SUB_AGENT = '@tool Agent {"prompt": "@bash true", "description": "help", "subagent_type": "general-purpose"}'
MIX = {
    "plain": "@text hello",
    "tools": "@write a.txt a\n@bash echo b\n@text over",
    "thinking": "@think about it\n@text so",
    "failed": "@write f.txt f\n@error 400",
    "retried": "@error 500 1\n@write e.txt e\n@text over",
    "throttled": "@error 429 1\n@text over",
    "cut": "@cut 1\n@write c.txt c\n@text over",
}


def sums_of(world: World) -> Tokens:
    totals = world.api.get("/api/usage")["totals"]
    return Tokens(**{name: totals[name] for name in COUNTED})


def ended(world: World, runs: list[Run]) -> list[Run]:
    return [world.api.wait_for_run(run["id"], timeout=240) for run in runs]


def a_round(world: World) -> list[Run]:
    """Runs of every kind with both CLIs, most of them at once."""
    mixed = [world.start(text, backend, title=name) for name, text in MIX.items() for backend in BACKENDS]
    hanging = [
        (how, world.start(HANGS, backend, title=how))
        for how, backend in (
            ("stopped", "claude_code"),
            ("stopped", "codex"),
            ("agent killed", "claude_code"),
            ("agent killed", "codex"),
            ("runner killed", "claude_code"),
        )
    ]
    mixed.append(world.start(f"{SUB_AGENT}\n@text over", "claude_code", title="sub-agent"))
    for how, run in hanging:
        break_off(world, how, run)
    done = ended(world, mixed)
    return (
        done
        + ended(world, [run for _, run in hanging])
        + ended(world, [go_on(world, run, {"resume": True}) for run in done[:2]])
        + ended(world, [go_on(world, run, {"fork": place_in(world, run)}) for run in done[:2]])
    )


def go_on(world: World, run: Run, how: dict[str, Any]) -> Run:
    """A run that resumes the session of another, or a fork of it, with another model."""
    task, model = world.task_of(run)["id"], OTHER_MODELS[run["backend"]]
    queued: Run = world.api.run_task(task, prompt="@bash echo more\n@text again", model=model, **how)
    return queued


def place_in(world: World, run: Run) -> dict[str, int]:
    """The place of the first message of the agent."""
    return {"run": run["number"], "seq": world.events(run, "text")[0]["seq"]}


def break_off(world: World, how: str, run: Run) -> None:
    """While its second command runs, so that two answers were billed."""
    {"stopped": stop, "agent killed": kill_agent, "runner killed": kill_runner}[how](world, run)


def broken_off(world: World, runs: list[Run]) -> list[Tokens]:
    """What was billed to killed CLIs that no CLI tells: at most the last answer of each."""
    found = []
    for run in runs:
        if "killed" in world.task_of(run)["title"]:
            ours, all_of_it = tokens_of(run), world.billed(run)
            missing = Tokens(*(getattr(all_of_it, name) - getattr(ours, name) for name in COUNTED))
            last = world.endpoint.ledger.turns(run["cli_session"])[-1].tokens
            assert missing in (Tokens(), last, Tokens(output_tokens=last.output_tokens - 1)), run
            found.append(missing)
    return [missing for missing in found if missing != Tokens()]


def by_task(world: World, runs: list[Run]) -> list[Session]:
    of_task: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        of_task[run["task"]].append(run)
    return [
        Session(mine[0]["backend"], [world.task_of(mine[0])["title"]], "here", mine)
        for mine in of_task.values()
    ]


@pytest.mark.long("26 runs of all kinds, and the audit of them")
def test_a_mixed_bag_of_runs_adds_up_to_what_was_billed() -> None:
    with World() as world:
        runs = a_round(world)
        for run in runs:
            print(
                run["id"], run["backend"], run["state"], run["cost_usd"], run["cost_source"], tokens_of(run)
            )
        assert sums_of(world) == sum(map(tokens_of, runs), Tokens())
        assert unexplained(world, by_task(world, runs)) == []
        check_the_costs(runs)
        check_the_audit(world, runs, len(broken_off(world, runs)))
        check_side_requests(world)


@pytest.mark.nightly
@pytest.mark.timeout(3000)
@pytest.mark.long("200 runs of all kinds, also with the oldest supported CLIs")
@pytest.mark.parametrize("tools", [None, OLDEST_CLIS], ids=["newest", "oldest"])
def test_200_runs_add_up_with_the_newest_and_the_oldest_clis(
    tools: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tools:
        monkeypatch.setenv("AITASK_TEST_TOOLS", str(tools))
    sessions = planned(200, seed=7)
    with World() as world:
        wrong = measured(world, sessions, 4, time.monotonic() + 2400)
        print(summary(world, sessions))
    assert wrong == []
    assert sum(len(session.runs) for session in sessions) >= 190  # else something has started too few


def check_the_costs(runs: list[Run]) -> None:
    """Claude Code reports its cost; Codex does not, so that it is estimated."""
    for run in runs:
        if any(run[name] for name in COUNTED) and run["state"] == "succeeded":
            assert run["cost_usd"] > 0
            assert run["cost_source"] == ("reported" if run["backend"] == "claude_code" else "estimated")


def check_side_requests(world: World) -> None:
    """A CLI that may make titles: they are billed, in our sums, in no transcript, and told apart.

    Only old versions make them.
    """
    chatty = world.environment(CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="")
    place = world.add_workspace("chatty", environment=chatty)["id"]
    for script in ("@bash echo a\n@text over", f"{SUB_AGENT}\n@text over"):
        world.succeed(script, workspace=place, timeout=120)
    sides = sum(getattr(total(world.endpoint.ledger.entries(is_side_request)), name) for name in COUNTED)
    said = world.app.manage("audit_usage", "--workspace", "chatty", check=False)
    print(said)
    assert "2 sessions compared, 0 with a difference" in said
    assert not sides or f"titles, summaries): {sides:,} tokens" in said


def is_side_request(entry: Entry) -> bool:
    """A title, or what Claude Code asks in its own words, such as a summary of a long sub-agent."""
    return entry.api == "messages" and (entry.kind == "title" or "@" not in entry.prompt)


def check_the_audit(world: World, runs: list[Run], untold: int) -> None:
    """It agrees, counts apart what no CLI tells, as of cut answers, and finds what somebody changes."""
    said = world.app.manage("audit_usage", "--workspace", "here", check=False)
    print(said)
    assert "0 with a difference" in said
    # Those that were cut and those at whose end a stop came are told or not, as the CLI was fast enough.
    interrupted = re.search(r"interrupted answers: (\d+);", said)
    assert interrupted
    assert untold < int(interrupted[1]) <= untold + 2 * len(BACKENDS)
    code = f"from tasks.models import Run; Run.objects.filter(pk={runs[0]['id']}).update(output_tokens=1)"
    world.app.manage("shell", "-c", code)
    planted = world.app.manage("audit_usage", "--workspace", "here", check=False)
    assert "1 with a difference" in planted
    assert f"session {runs[0]['cli_session']}: output" in planted
