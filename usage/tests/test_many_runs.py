"""The measurement of many runs: which runs it makes, and which differences it accepts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from aitask.tests.lab.ledger import Entry, Ledger, Tokens
from tasks.tests.e2e.world import BACKENDS
from usage.tests.kinds import KINDS
from usage.tests.ledger import Session, planned

WHOLE = Entry(
    1, "messages", "/", "turn", 200, True, "m", "", "s", 0, Tokens(10, 20, 30, 40), "", "", 0, 1, root="s"
)
BROKEN = replace(WHOLE, number=2, complete=False, tokens=Tokens(11, 21, 31, 41))


def test_the_same_seed_makes_the_same_runs_of_every_kind() -> None:
    sessions = planned(200, 7)
    assert [session.kinds for session in sessions] == [session.kinds for session in planned(200, 7)]
    for backend in BACKENDS:
        made = {kind for session in sessions if session.backend == backend for kind in session.kinds}
        assert made == {name for name, kind in KINDS.items() if backend in kind.backends}
    assert sum(len(session.kinds) for session in sessions) == 200


@pytest.mark.parametrize(
    ("kind", "ours", "is_explained"),
    [
        ("plain", Tokens(10, 20, 30, 40), True),
        ("plain", Tokens(10, 20, 30, 39), False),
        ("plain", Tokens(20, 40, 60, 80), False),  # counted twice
        ("plain", Tokens(21, 41, 61, 40 + 7), True),  # with a part of the answer that was broken off
        ("plain", Tokens(21, 41, 61, 40 + 42), False),  # with more than it had
        ("plain", Tokens(), False),
        ("agent killed", Tokens(), True),
        ("agent killed", Tokens(10, 20, 30, 1), True),
        ("agent killed", Tokens(9, 20, 30, 1), False),
    ],
)
def test_only_what_was_broken_off_explains_a_difference(kind: str, ours: Tokens, is_explained: bool) -> None:
    endpoint = Ledger()
    endpoint.add(WHOLE)
    endpoint.add(BROKEN)
    world: Any = SimpleNamespace(endpoint=SimpleNamespace(ledger=endpoint), events=lambda run, kind="": [])
    session = Session("claude_code", [kind], "here")
    session.runs = [{"cli_session": "s", **vars(ours)}]
    assert session.is_explained(world) == is_explained


@pytest.mark.parametrize(("untold", "is_explained"), [(0, False), (1, True)])
def test_a_whole_answer_is_missing_only_if_its_end_was_not_told(untold: int, is_explained: bool) -> None:
    endpoint = Ledger()
    endpoint.add(WHOLE)
    told = [{"untold": untold}]
    world: Any = SimpleNamespace(
        endpoint=SimpleNamespace(ledger=endpoint),
        events=lambda run, kind="": told if kind == "usage" else [{"cli_session": "s"}],
    )
    session = Session("claude_code", ["command interrupted"], "here")
    session.runs = [{"cli_session": "s", **vars(Tokens())}]
    assert session.is_explained(world) == is_explained
