"""The whole way with the real CLIs: guard, runner, CLI, events, commit, outcome."""

from __future__ import annotations

import pytest

from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for

from .client import Bench, Run

pytestmark = pytest.mark.cli
BACKENDS = pytest.mark.parametrize("backend", ["claude_code", "codex"])
NAMES = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def assert_tokens_equal_the_ledger(run: Run, endpoint: ScriptedEndpoint) -> None:
    outcome = run.outcome()
    total = endpoint.ledger.total(outcome["cli_session"])
    assert {name: outcome["usage"][name] for name in NAMES} == {name: getattr(total, name) for name in NAMES}


@BACKENDS
def test_a_run_edits_commits_and_counts_its_tokens(
    bench: Bench, endpoint: ScriptedEndpoint, backend: str
) -> None:
    run = bench.start(backend, "Please.\n@text I will write.\n@write made.txt hello there\n@text All done.")
    outcome = run.outcome()
    assert outcome["state"] == "succeeded", outcome
    assert outcome["committed"]
    assert outcome["diff"] == {"files": 1, "additions": 1, "deletions": 0}
    assert git(run.worktree, "show", "HEAD:made.txt") == "hello there"
    assert git(run.worktree, "log", "-1", "--format=%H %an %s") == f"{outcome['commit']} Ada Lab Leftovers"
    assert_tokens_equal_the_ledger(run, endpoint)
    events = run.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "finished"
    assert run.wait_event("file_change")["path"] == "made.txt"
    wait_for(lambda: "go on by hand" in run.screen())
