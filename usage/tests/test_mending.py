"""Runs that were counted wrongly are found, and corrected from the transcripts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks.models import Run, Task
from tasks.tests.factories import make_task
from usage import audit, mending
from usage.models import TOKENS, UsageByModel
from usage.tests.rows import used
from workspaces.hostkit import wire

MODEL = "claude-opus-5-5"
pytestmark = pytest.mark.django_db


def counts(size: int) -> dict[str, int]:
    return {
        **dict.fromkeys(TOKENS, 0),
        "input_tokens": size,
        "output_tokens": size,
        "cache_read_tokens": size,
    }


def total(size: int) -> dict[str, Any]:
    return {MODEL: {**counts(size), "cost_usd": size / 1000}}


def part(messages: int, before: int | None = None, after: int | None = None) -> wire.TranscriptPart:
    """A part of a transcript: tokens of its messages, and the CLI's totals before and after it."""
    found: dict[str, Any] = {"tokens": counts(messages), "by_model": {MODEL: counts(messages)}}
    if before is not None:
        found["before"] = total(before) if before else {}
    if after is not None:
        found["totals"] = total(after)
    return found  # type: ignore[return-value]


GAP = part(0)


def run_of(task: Task, number: int, recorded: int, backend: str = "claude_code", **usage: Any) -> Run:
    """A run of the session `s` that ended, as it was recorded."""
    began = timezone.now() - timedelta(hours=10 - number)
    cost = {"cost_usd": Decimal(recorded) / 1000} if backend == "claude_code" else {}
    return used(
        task,
        backend=backend,
        cli_session="s",
        model=MODEL,
        number=number,
        queued_at=began,
        started_at=began,
        finished_at=began + timedelta(minutes=5),
        usage_by_model=total(recorded),
        outcome={"state": "succeeded", "usage": {"by_model": total(recorded), **usage}},
        cache_write_tokens=0,
        **{kind: amount for kind, amount in counts(recorded).items() if kind != "cache_write_tokens"},
        **cost,
    )


class Host:
    """A host with this transcript of the session `s`."""

    def __init__(self, *parts: wire.TranscriptPart, backend: str = "claude_code") -> None:
        self.backend, self.parts = backend, list(parts)

    def call(self, _verb: str, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert len(params["starts"]["s"]) == len(self.parts)
        tokens = {kind: sum(part["tokens"][kind] for part in self.parts) for kind in TOKENS}
        return {self.backend: {"s": {"cwd": "/w", "tokens": tokens, "parts": self.parts}}}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(*parts: wire.TranscriptPart, **fields: Any) -> None:
        monkeypatch.setattr("usage.audit.hosts.get", lambda _address: Host(*parts, **fields))

    return use


def mended(task: Task) -> list[int]:
    audit.audit(task.workspace, mends=True)
    return list(Run.objects.filter(task=task).order_by("number").values_list("input_tokens", flat=True))


def test_a_transcript_is_split_where_a_run_begins_and_some_time_after_it_ended() -> None:
    began = timezone.now()
    times = [(0, 60), (60.5, 100), (200, 210)]
    runs = [
        Run(started_at=began + timedelta(seconds=start), finished_at=began + timedelta(seconds=end))
        for start, end in times
    ]
    split = [round(time - began.timestamp(), 1) for time in mending.starts_of(runs)]
    assert split == [-2, 60, 60, 130, 198, 240]


def test_runs_that_counted_the_earlier_ones_again_are_corrected(host: Any) -> None:
    task = make_task()
    for number, recorded in enumerate((12, 24, 36), 1):
        run_of(task, number, recorded, side={"input_tokens": recorded - 12})
    host(part(12, 0, 12), GAP, part(12, 12, 24), GAP, part(12, 24, 36), GAP)
    _, finding = audit.audit(task.workspace)
    assert [each.session for each in finding.differences] == ["s"]
    assert [correction.run.number for correction in finding.corrections] == [2, 3]
    assert "input 24 → 12" in finding.corrections[0].text
    assert "cost $0.024000 → $0.012000" in finding.corrections[0].text
    assert mended(task) == [12, 12, 12]
    rows = UsageByModel.objects.filter(run__task=task)
    assert [(row.input_tokens, row.cost_micro) for row in rows] == [(12, 12000)] * 3
    _, again = audit.audit(task.workspace, mends=True)
    assert (again.differences, again.corrections, again.mended) == ([], [], [])


def test_side_requests_of_a_corrected_run_stay_counted(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 12)
    run_of(task, 2, 12 + 12 + 7, side={"input_tokens": 19})
    host(part(12, 0, 12), GAP, part(12, 12, 31), GAP)
    assert mended(task) == [12, 19]
    _, finding = audit.audit(task.workspace)
    assert (finding.differences, finding.side_tokens) == ([], 21)


def test_runs_that_were_counted_rightly_are_left_alone(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 12)
    run_of(task, 2, 19, side={"input_tokens": 7, "cache_read_tokens": 7})
    host(part(12, 0, 12), GAP, part(12, 12, 31), GAP)
    _, finding = audit.audit(task.workspace, mends=True)
    assert (finding.differences, finding.mended, finding.unjudged) == ([], [], [])


def test_a_killed_run_that_counted_the_earlier_ones_again_is_corrected(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 12)
    run_of(task, 2, 12 + 5)
    host(part(12, 0, 12), GAP, part(5, 12), GAP)  # it wrote no totals
    assert mended(task) == [12, 5]
    run = Run.objects.get(task=task, number=2)
    assert run.cost_source == "estimated"


def test_work_between_two_runs_is_not_theirs(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 12)
    run_of(task, 2, 12)
    host(part(12, 0, 12), part(100, 12, 112), part(12, 112, 124), GAP)
    assert mended(task) == [12, 12]


def test_a_codex_run_is_corrected_from_its_transcript(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 40, backend="codex")
    host(part(55), GAP, backend="codex")  # with a review that was not counted
    assert mended(task) == [55]


def test_a_run_that_the_transcript_does_not_explain_is_left_and_named(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 40, side={"input_tokens": 1})
    host(part(12), GAP)
    _, finding = audit.audit(task.workspace, mends=True)
    assert finding.mended == []
    assert [each.run.number for each in finding.unjudged] == [1]
    assert Run.objects.get(task=task).input_tokens == 40


def test_a_run_without_a_transcript_keeps_its_tokens(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 40)
    host(GAP, GAP)
    assert mended(task) == [40]


def test_a_run_that_has_changed_since_is_not_corrected(host: Any) -> None:
    task = make_task()
    run_of(task, 1, 24)
    host(part(12, 0, 12), GAP)
    _, finding = audit.audit(task.workspace)
    Run.objects.filter(task=task).update(input_tokens=1)
    assert [mending.mend(correction) for correction in finding.corrections] == [False]


def test_the_command_says_what_it_changes(host: Any, capsys: pytest.CaptureFixture[str]) -> None:
    task = make_task()
    run_of(task, 1, 24)
    host(part(12, 0, 12), GAP)
    name = task.workspace.name
    with pytest.raises(SystemExit):
        call_command("audit_usage", workspace=name)
    assert "counted wrongly: Run" in capsys.readouterr().out
    call_command("audit_usage", workspace=name, mend=True)
    said = capsys.readouterr().out
    assert f"{name}: 1 sessions compared, 0 with a difference" in said
    assert "corrected: Run" in said
    assert "input 24 → 12" in said
