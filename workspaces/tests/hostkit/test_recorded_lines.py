"""Every recorded line of both versions of the CLIs is understood: none is raw output, none breaks a parser.

A type that is missing here in the newest version is new. Handle it, or add it to the ignored ones of its CLI
(`claude_code/system_lines.py`, `codex/notifications.py`) with the reason.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from typing import cast

import pytest

from workspaces.hostkit.agents import get
from workspaces.hostkit.agents.claude_code.system_lines import IGNORED_SUBTYPES, IGNORED_TYPES
from workspaces.hostkit.agents.codex.notifications import IGNORED
from workspaces.hostkit.base.agent import Agent

from .replay import SAMPLES, Json, Tape, spec

RECORDED = SAMPLES / "recorded"
NAMES = {"claude": "claude_code", "codex": "codex"}
VERSIONS = sorted(path.stem for path in RECORDED.glob("*.jsonl"))


def samples_of(version: str) -> dict[str, list[Json]]:
    rows = [json.loads(line) for line in (RECORDED / f"{version}.jsonl").read_text().splitlines()]
    return {name: [line for _, line in found] for name, found in groupby(rows, key=lambda row: row[0])}


def fed(version: str, lines: list[Json]) -> tuple[Agent, Tape]:
    """Return an agent of the version's CLI that has heard the lines."""
    tape = Tape()
    agent = get(NAMES[version.partition("-")[0]]).agent(spec(backend="x"), tape)
    agent.begin("do it")
    started = next((line for line in lines if line.get("method") == "thread/started"), None)
    if started:  # a reply has this in a run
        agent.session = started["params"]["thread"]["id"]
    for line in lines:
        agent.feed(line)
    agent.conclude()
    return agent, tape


@pytest.mark.parametrize("version", VERSIONS)
def test_no_recorded_line_is_raw_output(version: str) -> None:
    unknown: Counter[str] = Counter()
    for lines in samples_of(version).values():
        _, tape = fed(version, lines)
        unknown.update(cast(str, event["type"]) for event in tape.of("raw"))
    assert not unknown, f"new types of lines in {version}: {dict(unknown)}"


@pytest.mark.parametrize("version", VERSIONS)
def test_there_are_samples_of_many_scenes(version: str) -> None:
    assert len(samples_of(version)) >= 5
    assert {*VERSIONS} == {"claude-2.1.197", "claude-2.1.332", "codex-0.169.0", "codex-0.171.0"}


@pytest.mark.parametrize("ignored", [IGNORED_TYPES, IGNORED_SUBTYPES, IGNORED])
def test_whatever_is_not_shown_has_a_reason(ignored: dict[str, str]) -> None:
    assert all(len(reason) > 10 for reason in ignored.values())


def test_an_unknown_line_is_named_by_its_type() -> None:
    _, tape = fed("claude-2.1.332", [{"type": "brand_new"}, {"type": "system", "subtype": "newer"}])
    assert [event["type"] for event in tape.of("raw")] == ["brand_new", "system/newer"]
    _, tape = fed("codex-0.171.0", [{"method": "thread/brandNew", "params": {}}])
    assert [event["type"] for event in tape.of("raw")] == ["thread/brandNew"]


def test_unknown_lines_in_great_numbers_are_counted_not_recorded() -> None:
    _, tape = fed("codex-0.171.0", [{"method": "x/delta"}] * 1300 + [{"method": f"x/{n}"} for n in range(70)])
    raws = tape.of("raw")
    assert len(raws) < 120
    counts: Counter[str] = Counter()
    for event in raws:
        counts[event["type"]] += event.get("count", 1)
    assert counts["x/delta"] == 1300
    assert sum(counts.values()) == 1370
    assert len(counts) <= 51
