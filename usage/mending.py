"""Finds ended runs whose tokens were recorded wrongly, and corrects them from the CLI's transcripts.

Versions of this app from before the totals of Claude Code went on over a resume counted the earlier runs of a
session again. What a run used is known

- from the CLI's own totals of the session before and after it, if the CLI writes them into its transcripts,
- else from the messages in the transcript, if nothing is known that they lack, such as side requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.db import transaction

from tasks.models import Run
from usage import ledger
from usage.models import TOKENS
from workspaces.hostkit import wire

EARLY, LATE = 2.0, 30.0
"A run's requests may begin this many seconds before its first event, and be written this long after its end."
SENT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
"Kinds of tokens that are exact when an answer begins."
MICRO_DOLLAR = Decimal("0.000001")

Counts = dict[str, int]
ByModel = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class OwnUsage:
    """What a run has used, by model; `cost` is None if only an estimate is possible."""

    by_model: dict[str, dict[str, Any]]
    cost: Decimal | None = None
    side: Counts = field(default_factory=dict)
    "Tokens that were sent in requests that are not messages."

    @property
    def tokens(self) -> Counts:
        return _sum(self.by_model)


@dataclass(frozen=True)
class Correction:
    """A run that was counted wrongly: what is recorded, and what it has used."""

    run: Run
    own: OwnUsage

    @property
    def text(self) -> str:
        before, after = recorded_of(self.run), self.own.tokens
        changed = [
            f"{kind.removesuffix('_tokens').replace('_', ' ')} {before[kind]:,} → {after[kind]:,}"
            for kind in TOKENS
            if before[kind] != after[kind]
        ]
        if self.own.cost is not None and _is_other_cost(self.run, self.own.cost):
            changed.append(f"cost {_dollars(self.run.cost_usd)} → {_dollars(self.own.cost)}")
        return f"{_name(self.run)}: {', '.join(changed)}"


@dataclass(frozen=True)
class Unjudged:
    """A run whose tokens differ from the transcript, for a reason that is not known."""

    run: Run

    @property
    def text(self) -> str:
        return f"{_name(self.run)}: not corrected, because its transcript does not tell its tokens exactly"


def _name(run: Run) -> str:
    return f"Run {run.pk} (task {run.task_id}, run {run.number})"


def _dollars(cost: Decimal | None) -> str:
    return "unknown" if cost is None else f"${cost:.6f}"


def recorded_of(run: Run) -> Counts:
    return {kind: getattr(run, kind) for kind in TOKENS}


def starts_of(runs: Sequence[Run]) -> list[float]:
    """Return the times at which the transcript of these runs is split: each run's start and end, in order."""
    times: list[float] = []
    finished = 0.0
    for run in runs:
        start = _epoch(run.started_at or run.queued_at)
        begin = max(start - EARLY, min(finished, start))
        finished = max(start, _epoch(run.finished_at or run.started_at or run.queued_at))
        if times:
            times[-1] = min(times[-1], begin)
        times += [begin, finished + LATE]
    return times


def in_order(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.started_at or run.queued_at, run.pk))


def judge(runs: Sequence[Run], parts: Sequence[wire.TranscriptPart]) -> list[Correction | Unjudged]:
    """Return the runs of a session that were counted wrongly. `parts` are those of `starts_of`. No I/O."""
    if len(parts) != 2 * len(runs):
        return []
    found = (_judge(run, parts[2 * index]) for index, run in enumerate(runs))
    return [each for each in found if each is not None]


def _judge(run: Run, part: wire.TranscriptPart) -> Correction | Unjudged | None:
    own = _own_usage(run, part)
    if own is None:
        return None if _is_explained(run, part) else Unjudged(run)
    is_right = recorded_of(run) == own.tokens and not (own.cost is not None and _is_other_cost(run, own.cost))
    return None if is_right else Correction(run, own)


def _own_usage(run: Run, part: wire.TranscriptPart) -> OwnUsage | None:
    """Return what the run has used; None if the transcript does not tell it."""
    messages, before = part["tokens"], cast("ByModel", part.get("before") or {})
    if "totals" in part and "before" in part:
        return _from_totals(cast("ByModel", part["totals"]), before, messages)
    usage = usage_of(run)
    if before and (counted_twice := _without(run, before, messages)):
        return counted_twice
    if not any(messages.values()) or any(usage.get(name) for name in ("untold", "side")) or usage.get("open"):
        return None
    return OwnUsage({model: dict(used) for model, used in part["by_model"].items()})


def _from_totals(totals: ByModel, before: ByModel, messages: Counts) -> OwnUsage | None:
    """Return the difference of two totals; None if it is less than the messages, as after a `/clear`."""
    by_model = _difference(totals, before)
    if by_model is None:
        return None
    tokens = _sum(by_model)
    side = {kind: tokens[kind] - messages[kind] for kind in SENT}
    if min(side.values()) < 0:
        return None
    costs = [used["cost_usd"] for used in by_model.values()]
    cost = None if None in costs else Decimal(str(sum(costs))).quantize(MICRO_DOLLAR)
    return OwnUsage(by_model, cost, side if any(side.values()) else {})


def _without(run: Run, before: ByModel, messages: Counts) -> OwnUsage | None:
    """Return the run's usage if the total before it was counted as well, in a process that was killed."""
    recorded, counted_before = recorded_of(run), _sum(before)
    own = {kind: recorded[kind] - counted_before[kind] for kind in TOKENS}
    if min(own.values()) < 0 or any(own[kind] != messages[kind] for kind in SENT):
        return None
    by_model = _difference(cast("ByModel", run.usage_by_model), before)
    if by_model is None or _sum(by_model) != own:  # not all of it is known by model
        by_model = {run.model: dict(own)}
    return OwnUsage({model: {**used, "cost_usd": None} for model, used in by_model.items()})


def _difference(totals: ByModel, before: ByModel) -> dict[str, dict[str, Any]] | None:
    """Return what the totals have more by model; None if they have less."""
    if any(model not in totals for model in before):
        return None
    by_model: dict[str, dict[str, Any]] = {}
    for model, used in totals.items():
        former = before.get(model) or {}
        kinds = [*TOKENS, *(kind for kind in ("cache_write_1h_tokens",) if used.get(kind))]
        new: dict[str, Any] = {kind: _count(used, kind) - _count(former, kind) for kind in kinds}
        if min(new.values()) < 0:
            return None
        cost = used.get("cost_usd")
        new["cost_usd"] = None if cost is None else max(0.0, round(cost - (former.get("cost_usd") or 0.0), 9))
        if any(new[kind] for kind in TOKENS):
            by_model[model] = new
    return by_model


def _is_explained(run: Run, part: wire.TranscriptPart) -> bool:
    """Whether side requests and interrupted answers may be the reason of all differences."""
    usage, recorded = usage_of(run), recorded_of(run)
    if not any(part["tokens"].values()):
        return not any(recorded.values())
    if usage.get("untold"):
        return True
    side = usage.get("side") or {}
    return all(0 <= recorded[kind] - part["tokens"][kind] <= int(side.get(kind) or 0) for kind in SENT)


def usage_of(run: Run) -> dict[str, Any]:
    """Return what the outcome of a run says about its usage."""
    usage = (run.outcome or {}).get("usage")
    return usage if isinstance(usage, dict) else {}


def _is_other_cost(run: Run, cost: Decimal) -> bool:
    recorded = run.cost_usd if run.cost_source == Run.CostSource.REPORTED else None
    return recorded is not None and abs(recorded - cost) > MICRO_DOLLAR * 2


def _sum(by_model: ByModel) -> Counts:
    return {kind: sum(_count(used, kind) for used in by_model.values()) for kind in TOKENS}


def _count(used: Mapping[str, Any], kind: str) -> int:
    return int(used.get(kind) or 0)


def _epoch(moment: datetime) -> float:
    return moment.timestamp()


def mend(correction: Correction) -> bool:
    """Correct the run and its usage rows; False if the run has changed since it was judged."""
    run, own = correction.run, correction.own
    values: dict[str, Any] = {**own.tokens, "usage_by_model": own.by_model}
    if own.cost is None:
        values.update(cost_usd=None, cost_source=None)  # `record` estimates it
    else:
        values.update(cost_usd=own.cost, cost_source=Run.CostSource.REPORTED)
    outcome = dict(run.outcome or {})
    outcome["usage"] = {**usage_of(run), **own.tokens, "by_model": own.by_model, "side": own.side}
    values["outcome"] = outcome
    expected = {**recorded_of(run), "state__in": Run.ENDED}
    with transaction.atomic():
        if not Run.objects.filter(pk=run.pk, **expected).update(**values):
            return False
        ledger.record(Run.objects.select_related("task").get(pk=run.pk))
    return True
