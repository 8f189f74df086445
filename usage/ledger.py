"""Keeps one row per run and model, so that the database can add up; always what the run's own row says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from tasks.models import Event, Run
from usage import pricing
from usage.models import MICRO, TOKENS, Series, UsageByModel

BATCH = 2000


@dataclass
class Share:
    """What a run used of one model."""

    model: str
    tokens: dict[str, int]
    told: Decimal | None = None
    "What the CLI says that it cost."
    cost_micro: int | None = None
    costing: str = Series.Costing.UNKNOWN

    @property
    def size(self) -> int:
        return sum(self.tokens.values())


Numbers = dict[tuple[int, str, str, str], int]
"Series that are known already."


def record(run: Run) -> None:
    """Write the rows of a run anew; its cost is estimated once it has ended without a reported one."""
    with transaction.atomic():
        shares = shares_of(run)
        UsageByModel.objects.filter(run=run).delete()
        UsageByModel.objects.bulk_create(_rows(run, shares, {}))
        _keep_estimate(run, shares)


def catch_up() -> int:
    """Record the runs that have no rows yet, such as those of an older version; returns how many."""
    recorded = UsageByModel.objects.filter(runs=1, run__isnull=False).count()
    missing = Run.objects.count() - recorded
    numbers: Numbers = {}
    done = 0
    while done < missing and (batch := _catch_up_some(numbers)):
        done += batch
    return done


def _catch_up_some(numbers: Numbers) -> int:
    """Holds the runs' rows, so that nobody records them meanwhile; who was faster has written the same."""
    rowless = ~Exists(UsageByModel.objects.filter(run=OuterRef("pk"), runs=1))
    with transaction.atomic():
        runs = Run.objects.filter(rowless).select_for_update(of=("self",)).select_related("task")
        batch = list(runs.defer("prompt", "outcome", "task__prompt").order_by("pk")[:BATCH])
        made = [row for run in batch for row in _rows(run, shares_of(run), numbers)]
        UsageByModel.objects.bulk_create(made, ignore_conflicts=True)
    return len(batch)


def shares_of(run: Run) -> list[Share]:
    """One per model, together what the run's own row says; at least one, which counts the run."""
    shares = [Share(model[:150], _tokens(each), _told(each)) for model, each in run.usage_by_model.items()]
    shares = [share for share in shares if share.size]
    rest = {name: getattr(run, name) - sum(share.tokens[name] for share in shares) for name in TOKENS}
    if any(rest.values()) or not shares:
        _add_rest(run, shares, rest)
    _set_costs(run, shares)
    return shares


def _tokens(share: dict[str, Any]) -> dict[str, int]:
    return {name: int(share.get(name) or 0) for name in TOKENS}


def _told(share: dict[str, Any]) -> Decimal | None:
    cost = share.get("cost_usd")
    return None if cost is None else Decimal(str(cost))


def _rows(run: Run, shares: list[Share], numbers: Numbers) -> list[UsageByModel]:
    return [
        UsageByModel(
            run_id=run.pk,
            task_id=run.task_id,
            series_id=_series(run, share, numbers),
            session=run.cli_session,
            minute=minute_of(run.started_at or run.queued_at),
            runs=1 if place == 0 else 0,
            seconds=_seconds(run) if place == 0 else 0,
            cost_micro=share.cost_micro,
            **share.tokens,
        )
        for place, share in enumerate(shares)
    ]


def _seconds(run: Run) -> int:
    """How long an ended run took."""
    if run.started_at is None or run.finished_at is None:
        return 0
    return max(0, int((run.finished_at - run.started_at).total_seconds()))


def _series(run: Run, share: Share, numbers: Numbers) -> int:
    key = (run.task.workspace_id, run.backend, share.model, share.costing)
    if key not in numbers:
        workspace, backend, model, costing = key
        series, _ = Series.objects.get_or_create(
            workspace_id=workspace, backend=backend, model=model, costing=costing
        )
        numbers[key] = series.pk
    return numbers[key]


def minute_of(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


def _add_rest(run: Run, shares: list[Share], rest: dict[str, int]) -> None:
    """What the run has used beyond what is told per model, as while a turn is going."""
    if not shares:
        shares.append(Share(_named_model(run), rest))
        return
    largest = max(shares, key=lambda share: share.size)
    for name, amount in rest.items():
        largest.tokens[name] += amount


def _named_model(run: Run) -> str:
    """What was asked for, else what the CLI says that it took."""
    if run.model or not run.last_seq:
        return run.model
    started = Event.objects.filter(run=run, kind="started").order_by("seq").first()
    return str((started.data.get("model") if started else "") or "")


def _set_costs(run: Run, shares: list[Share]) -> None:
    if run.cost_source == Run.CostSource.REPORTED and run.cost_usd is not None:
        _share_reported(run.cost_usd, shares)
    elif run.state in Run.ENDED:
        for share in shares:
            _estimate(run, share)


def _share_reported(cost: Decimal, shares: list[Share]) -> None:
    """The CLI's sum, as it splits it; the first share takes what rounding leaves."""
    for share in shares:
        share.cost_micro, share.costing = round((share.told or 0) * MICRO), Series.Costing.REPORTED
    shares[0].cost_micro = round(cost * MICRO) - sum(share.cost_micro or 0 for share in shares[1:])


def _estimate(run: Run, share: Share) -> None:
    cost = pricing.estimate(run.backend, share.model, share.tokens, run.started_at) if share.size else None
    if cost is not None:
        share.cost_micro, share.costing = round(cost * MICRO), Series.Costing.ESTIMATED


def _keep_estimate(run: Run, shares: list[Share]) -> None:
    """The run's own row tells the estimate, too; no sum of which a part is unknown."""
    if run.cost_source == Run.CostSource.REPORTED or run.state not in Run.ENDED:
        return
    whole = all(share.costing == Series.Costing.ESTIMATED for share in shares)
    cost = Decimal(sum(share.cost_micro or 0 for share in shares)) / MICRO if whole else None
    source = Run.CostSource.ESTIMATED if whole else None
    if (cost, source) != (run.cost_usd, run.cost_source):
        run.cost_usd, run.cost_source = cost, source
        Run.objects.filter(pk=run.pk).update(cost_usd=cost, cost_source=source)
