"""Reviews of Codex itself, which no usage line tells: of approvals, and of changes; with the real CLI."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from aitask.tests.lab.cli_home import CliHome
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.ledger import COUNTED, Entry, total
from aitask.tests.lab.tools import require_tool
from workspaces.hostkit.agents import codex
from workspaces.hostkit.agents.codex import transcripts
from workspaces.hostkit.agents.codex.protocol import HANDSHAKE
from workspaces.hostkit.base.talk import Talk

from .client import Bench, Run

pytestmark = pytest.mark.cli
ASKED = ">>> APPROVAL REQUEST START"
"""In the prompts of the reviewer."""
ESCALATED = {"cmd": "touch made.txt", "sandbox_permissions": "require_escalated", "justification": "I must"}
ASKS = f"@tool exec_command {json.dumps(ESCALATED)}\n@text over"


def assessment(outcome: str) -> str:
    rationale = f"This is a reason to {outcome}."
    return f"@text {json.dumps({'outcome': outcome, 'risk_level': 'high', 'rationale': rationale})}"


@pytest.fixture
def reviewed(bench: Bench, cli_home: CliHome) -> Bench:
    """A host whose user lets Codex review approvals."""
    config = cli_home.folder / ".codex/config.toml"
    config.write_text(f'approvals_reviewer = "auto_review"\n{config.read_text()}')
    return bench


def reviews_of(endpoint: ScriptedEndpoint, run: Run) -> list[Entry]:
    session = run.outcome()["cli_session"]
    return endpoint.ledger.entries(lambda entry: entry.root == session != entry.session)


def assert_all_is_counted(endpoint: ScriptedEndpoint, run: Run) -> None:
    outcome = run.outcome()
    billed = total(endpoint.ledger.entries(lambda entry: entry.root == outcome["cli_session"]))
    assert {name: outcome["usage"][name] for name in COUNTED} == {
        name: getattr(billed, name) for name in COUNTED
    }


@pytest.mark.oldest_cli
@pytest.mark.parametrize(
    ("script", "words", "is_made"),
    [
        (assessment("allow"), "approved `touch made.txt`", True),
        (
            assessment("deny"),
            "(risk: high, authorization: unknown): This is a reason to deny.",
            False,
        ),
        ("@text no JSON", "not valid JSON", False),
    ],
)
def test_an_automatic_review_is_shown_with_its_reason_and_counted(
    reviewed: Bench, endpoint: ScriptedEndpoint, script: str, words: str, is_made: bool
) -> None:
    endpoint.scripts[ASKED] = script
    run = reviewed.start("codex", ASKS, permission_mode="edits")
    assert run.outcome()["state"] == "succeeded"
    (notice,) = [event for event in run.events("notice") if "automatic review" in event["text"]]
    assert words in notice["text"]
    assert (notice.get("code") == "denied") is not is_made
    assert (run.worktree / "made.txt").exists() is is_made
    assert reviews_of(endpoint, run)
    assert_all_is_counted(endpoint, run)


def test_a_review_of_changes_is_found_in_its_transcript(
    bench: Bench, endpoint: ScriptedEndpoint, cli_home: CliHome
) -> None:
    run = bench.start("codex", "@write made.txt x\n@text over")
    session, began = run.outcome()["cli_session"], time.time()
    review(run, session)
    [billed] = reviews_of(endpoint, run)
    found = transcripts.unreported(cli_home.environment, session, began, [])
    assert [request.tokens for request in found] == [{name: getattr(billed.tokens, name) for name in COUNTED}]


def review(run: Run, session: str) -> None:
    """Let the CLI review, as its own `/review` does."""
    target: dict[str, Any] = {"type": "custom", "instructions": "@text No findings."}
    calls = [
        *HANDSHAKE,
        {"id": 2, "method": "thread/resume", "params": {"threadId": session, "cwd": str(run.worktree)}},
        {"id": 3, "method": "review/start", "params": {"threadId": session, "target": target}},
    ]
    command = codex.CLI.question_command(require_tool("codex"))
    talk = Talk(command, dict(run.bench.environment), time.monotonic() + 60)
    try:
        for call in calls:
            talk.send(call)
        for line in talk.lines():
            if line.get("method") == "turn/completed":
                break
    finally:
        talk.close()
