"""Writes one usage row per run and model, so that the database can calculate sums.

The rows of a run always add up to the totals in the run's own row.
"""

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
    """A run's usage of one model."""

    model: str
    tokens: dict[str, int]
    hour_writes: int = 0
    "Those of the cache writes that are kept for an hour."
    reported_cost: Decimal | None = None
    "Dollars, as the CLI reports them for this model."
    cost_micro: int | None = None
    costing: str = Series.Costing.UNKNOWN

    @property
    def size(self) -> int:
        return sum(self.tokens.values())


SeriesCache = dict[tuple[int, str, str, str], int]
"Primary keys of series, by workspace, CLI, model and kind of cost."


def record(run: Run) -> None:
    """Replace the rows of a run. If it has ended without a reported cost, estimate the cost."""
    with transaction.atomic():
        shares = shares_of(run)
        UsageByModel.objects.filter(run=run).delete()
        UsageByModel.objects.bulk_create(_rows(run, shares, {}))
        _keep_estimate(run, shares)


def catch_up() -> int:
    """Record runs without rows, such as those of an older version, and return their number."""
    recorded = UsageByModel.objects.filter(runs=1, run__isnull=False).count()
    missing = Run.objects.count() - recorded
    cache: SeriesCache = {}
    done = 0
    while done < missing and (batch := _catch_up_some(cache)):
        done += batch
    return done


def _catch_up_some(cache: SeriesCache) -> int:
    """Record a batch of runs and return its size.

    The runs are locked meanwhile. If another process has recorded one, it has written the same rows.
    """
    rowless = ~Exists(UsageByModel.objects.filter(run=OuterRef("pk"), runs=1))
    with transaction.atomic():
        runs = Run.objects.filter(rowless).select_for_update(of=("self",)).select_related("task")
        batch = list(runs.defer("prompt", "outcome", "task__prompt").order_by("pk")[:BATCH])
        rows = [row for run in batch for row in _rows(run, shares_of(run), cache)]
        UsageByModel.objects.bulk_create(rows, ignore_conflicts=True)
    return len(batch)


def shares_of(run: Run) -> list[Share]:
    """Return a share per model, and at least one, which counts the run. Their sum is the run's total."""
    shares = [
        Share(model[:150], _tokens(usage), _hour_writes(usage), _reported_cost(usage))
        for model, usage in run.usage_by_model.items()
    ]
    shares = [share for share in shares if share.size]
    rest = {name: getattr(run, name) - sum(share.tokens[name] for share in shares) for name in TOKENS}
    if any(rest.values()) or not shares:
        _add_rest(run, shares, rest)
    _set_costs(run, shares)
    return shares


def _tokens(usage: dict[str, Any]) -> dict[str, int]:
    return {name: int(usage.get(name) or 0) for name in TOKENS}


def _hour_writes(usage: dict[str, Any]) -> int:
    return int(usage.get(pricing.HOUR) or 0)


def _reported_cost(usage: dict[str, Any]) -> Decimal | None:
    cost = usage.get("cost_usd")
    return None if cost is None else Decimal(str(cost))


def _rows(run: Run, shares: list[Share], cache: SeriesCache) -> list[UsageByModel]:
    return [
        UsageByModel(
            run_id=run.pk,
            task_id=run.task_id,
            series_id=_series(run, share, cache),
            session=run.cli_session,
            minute=minute_of(run.started_at or run.queued_at),
            runs=1 if index == 0 else 0,
            seconds=_seconds(run) if index == 0 else 0,
            cost_micro=share.cost_micro,
            **share.tokens,
        )
        for index, share in enumerate(shares)
    ]


def _seconds(run: Run) -> int:
    """Return the duration of a run; 0 if it has not ended."""
    if run.started_at is None or run.finished_at is None:
        return 0
    return max(0, int((run.finished_at - run.started_at).total_seconds()))


def _series(run: Run, share: Share, cache: SeriesCache) -> int:
    """Return the primary key of the share's series, creating it if needed."""
    key = (run.task.workspace_id, run.backend, share.model, share.costing)
    if key not in cache:
        workspace, backend, model, costing = key
        series, _ = Series.objects.get_or_create(
            workspace_id=workspace, backend=backend, model=model, costing=costing
        )
        cache[key] = series.pk
    return cache[key]


def minute_of(moment: datetime) -> int:
    """Return the minute of Unix time."""
    return int(moment.timestamp()) // 60


def _add_rest(run: Run, shares: list[Share], rest: dict[str, int]) -> None:
    """Add tokens that the CLI has not reported per model, as during a turn, to the largest share."""
    if not shares:
        shares.append(Share(_named_model(run), rest))
        return
    largest = max(shares, key=lambda share: share.size)
    for name, amount in rest.items():
        largest.tokens[name] += amount


def _named_model(run: Run) -> str:
    """Return the requested model, or the one that the CLI reported when it started."""
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
    """Split the reported cost as the CLI does. The first share gets the rounding difference."""
    for share in shares:
        share.cost_micro, share.costing = round((share.reported_cost or 0) * MICRO), Series.Costing.REPORTED
    shares[0].cost_micro = round(cost * MICRO) - sum(share.cost_micro or 0 for share in shares[1:])


def _estimate(run: Run, share: Share) -> None:
    tokens = {**share.tokens, pricing.HOUR: share.hour_writes}
    cost = pricing.estimate(run.backend, share.model, tokens, run.started_at) if share.size else None
    if cost is not None:
        share.cost_micro, share.costing = round(cost * MICRO), Series.Costing.ESTIMATED


def _keep_estimate(run: Run, shares: list[Share]) -> None:
    """Save the estimate in the run's own row, unless the cost of a share is unknown."""
    if run.cost_source == Run.CostSource.REPORTED or run.state not in Run.ENDED:
        return
    whole = all(share.costing == Series.Costing.ESTIMATED for share in shares)
    cost = Decimal(sum(share.cost_micro or 0 for share in shares)) / MICRO if whole else None
    source = Run.CostSource.ESTIMATED if whole else None
    if (cost, source) != (run.cost_usd, run.cost_source):
        run.cost_usd, run.cost_source = cost, source
        Run.objects.filter(pk=run.pk).update(cost_usd=cost, cost_source=source)
