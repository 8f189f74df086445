"""After the storm: what is compared with the truth. Each finding is a sentence."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from aitask.tests.chaos.stage import Stage
from aitask.tests.chaos.storm import STEPS, StartedRun
from aitask.tests.lab import processes
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import tokens_of

Json = dict[str, Any]
ALL_STEPS = [str(number) for number in range(1, STEPS + 1)]


def judge(stage: Stage, started: list[StartedRun]) -> list[str]:
    """Return what is wrong after the storm; nothing if every promise was kept."""
    found: list[str] = []
    for each in started:
        run = stage.patient.run(each.run)
        where = f"{each.tag} ({run['backend']}, {'cloud' if each.far else 'here'}, {run['state']})"
        found += [f"{where}: {why}" for why in _judge_run(stage, each, run)]
    found += _judge_app(stage)
    return found


def _judge_run(stage: Stage, each: StartedRun, run: Json) -> Iterator[str]:
    expected = ("succeeded", "cancelled") if each.cancelled else ("succeeded",)
    if run["state"] not in expected:
        yield f"ended as {run['state']}: {run['reason']}"
    succeeded = run["state"] == "succeeded"
    steps = _steps(stage, each, run)
    if steps != (ALL_STEPS if succeeded else ALL_STEPS[: len(steps)]):
        yield f"its steps are {' '.join(steps)}"
    yield from _judge_events(stage, run)
    if succeeded and tokens_of(run) != stage.billed(run):
        yield f"counted {tokens_of(run)}, billed {stage.billed(run)}"
    sessions = {entry.session for entry in stage.endpoint.ledger.turns() if each.tag in entry.prompt}
    if len(sessions) > 1 or (succeeded and sessions != {run["cli_session"]}):
        yield f"was asked in {len(sessions)} sessions"


def _steps(stage: Stage, each: StartedRun, run: Json) -> list[str]:
    """What the agent has written, on the branch of its task."""
    branch = stage.task_of(run)["branch"]
    repo = stage.far_repo if each.far else stage.repo
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(repo), "show", f"{branch}:steps.txt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


def _judge_events(stage: Stage, run: Json) -> Iterator[str]:
    events = stage.events(run)
    if run["state"] == "cancelled" and not run["started_at"]:
        if events:
            yield f"was cancelled before its start, and has {len(events)} events"
        return
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        yield "its events have a gap"
    if not events or events[-1]["kind"] != "finished":
        yield "its last event is not the end"
    folder = _query(stage, "select run_dir from tasks_run where id = ?", run["id"])[0][0]
    if not folder:
        return
    journal = Path(folder) / "events.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    on_host = [(event["seq"], event["kind"]) for event in map(json.loads, lines)]
    if on_host != [(event["seq"], event["kind"]) for event in events]:
        yield f"the host has {len(on_host)} events, the app {len(events)}"


def _judge_app(stage: Stage) -> Iterator[str]:
    try:
        wait_for(lambda: not stage.agents(), 30, "the end of all processes of runs")
    except AssertionError:
        yield f"left running: {[processes.command_of(pid)[:100] for pid in stage.agents()]}"
    try:
        waiting = "select count(*) from django_q_ormq where key != '' "
        wait_for(lambda: _query(stage, waiting)[0][0] <= 1, 60, "an empty queue")
    except AssertionError:
        yield f"jobs are left in the queue: {_query(stage, waiting)[0][0]}"
    live = _query(stage, "select id, state from tasks_run where state in ('starting', 'running', 'waiting')")
    if live:
        yield f"runs that never ended: {live}"
    if _query(stage, "pragma integrity_check") != [("ok",)]:
        yield "the database is damaged"
    if (size := len(stage.app.log)) > 5 << 20:
        yield f"the log has {size} bytes"


def _query(stage: Stage, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(stage.app.data / "db.sqlite3", timeout=30)) as database:
        return database.execute(sql, values).fetchall()
