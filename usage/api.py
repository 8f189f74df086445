"""The JSON API for usage and plan limits."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel, Field

from aitask.lib.errors import Refused
from tasks.access import task_for
from tasks.api.schemas import Id, RunOut, run_out
from usage import limits, pricing, queries, services
from usage.aggregation import Sums
from usage.periods import is_zone, period_of
from workspaces import clis
from workspaces.access import current_user, visible_workspaces, workspace_for
from workspaces.models import Workspace

router = Router(tags=["Usage"])

CostSource = Literal["reported", "estimated", "mixed"]


class SumsOut(BaseModel):
    runs: int
    seconds: int = Field(description="Total duration of the runs, until now if they have not ended")
    input_tokens: int = Field(description="Without cache reads and writes")
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int = Field(description="Included in the output tokens")
    cost_usd: float | None = Field(description="null if no cost is known")
    cost_source: CostSource | None
    estimated_cost_usd: float | None = Field(description="The part of the cost that is estimated from prices")
    unpriced_tokens: int = Field(description="Tokens without a known cost")


class WorkspaceSums(SumsOut):
    workspace: int
    name: str


class BackendSums(SumsOut):
    backend: str


class ModelSums(SumsOut):
    backend: str
    model: str = Field(description="Empty if the CLI did not report it")


class DaySums(SumsOut):
    day: date


class TaskSums(SumsOut):
    task: int
    title: str


class LimitOut(BaseModel):
    host: str
    backend: str
    account: str | None
    window: str | None
    used_percent: float | None
    resets_at: datetime | None
    fetched_at: datetime | None
    source: str | None = Field(
        description="asked: requested from the CLI; run: reported during a run; screen: read from its screen"
    )
    full_at: datetime | None = Field(
        description="When the limit will be reached at the current rate, if before it resets"
    )
    error: str | None = Field(description="Why the last request failed; the values are the last known ones")


class UsageOut(BaseModel):
    first: date = Field(alias="from", serialization_alias="from")
    last: date = Field(alias="to", serialization_alias="to")
    time_zone: str
    totals: SumsOut
    before: SumsOut = Field(description="The previous period of the same length")
    by_workspace: list[WorkspaceSums]
    by_backend: list[BackendSums]
    by_model: list[ModelSums]
    by_day: list[DaySums]
    by_task: list[TaskSums] = Field(description="The tasks that used the most tokens")
    by_merged_task: list[TaskSums] = Field(
        description="The 20 costliest tasks merged in the period, each with all its runs, also those of other"
        " days; tasks of unknown cost come last"
    )
    merged_tasks: int = Field(description="Number of tasks merged in the period")
    cost_per_merged_task_usd: float | None = Field(
        description="Average over the tasks whose cost is known; null if there are none"
    )
    limits: list[LimitOut]
    console_urls: dict[str, str]
    prices: str = Field(description="The price list that estimates are based on")


class UsageQuery(BaseModel):
    first: date | None = Field(
        None, alias="from", description="The first day. Default: 29 days before the last one"
    )
    last: date | None = Field(None, alias="to", description="The last day, inclusive. Default: today")
    workspace: int | None = None
    tz: str = Field("UTC", description="The time zone of the days, such as Europe/Berlin")


@router.get("/usage", response=UsageOut, by_alias=True, summary="Tokens, cost and plan limits")
def usage(request: HttpRequest, query: Query[UsageQuery]) -> dict[str, object]:
    """Sums over the runs that started on these days, and the current plan limits."""
    workspace = None if query.workspace is None else workspace_for(request.user, query.workspace)
    if query.tz and not is_zone(query.tz):
        raise Refused("Unknown time zone.", "Use a name such as Europe/Berlin.")
    period = period_of(query.first, query.last, query.tz)
    report = queries.report(request.user, period, workspace)
    chosen = [workspace] if workspace else list(visible_workspaces(request.user))
    return {
        "from": period.first,
        "to": period.last,
        "time_zone": str(period.zone),
        "totals": sums_out(report.totals),
        "before": sums_out(report.before),
        "by_workspace": [
            {"workspace": line.key, "name": line.label, **sums_out(line.sums)} for line in report.by_workspace
        ],
        "by_backend": [{"backend": line.key, **sums_out(line.sums)} for line in report.by_backend],
        "by_model": [
            {"backend": line.key[0], "model": line.key[1], **sums_out(line.sums)} for line in report.by_model
        ],
        "by_day": [{"day": line.key, **sums_out(line.sums)} for line in report.by_day],
        "by_task": tasks_out(report.by_task),
        **merged_out(report.merged),
        "limits": limits_out(chosen),
        "console_urls": {cli.name: cli.console for cli in clis.every()},
        "prices": pricing.source(),
    }


@router.post(
    "/tasks/{task_id}/resume-at-reset", response={201: RunOut}, summary="Resume when the plan limit resets"
)
def resume_at_reset(request: HttpRequest, task_id: Id) -> tuple[int, RunOut]:
    """Queue a follow-up that starts when the limit resets. It can be cancelled like any queued run."""
    run = services.resume_at_reset(task_for(request.user, task_id), user=current_user(request))
    return 201, run_out(run)


def tasks_out(lines: list[queries.ReportRow]) -> list[dict[str, object]]:
    return [{"task": line.key, "title": line.label, **sums_out(line.sums)} for line in lines]


def merged_out(merged: queries.Merged) -> dict[str, object]:
    cost = merged.cost_per_task
    return {
        "by_merged_task": tasks_out(merged.costliest),
        "merged_tasks": merged.count,
        "cost_per_merged_task_usd": None if cost is None else float(cost),
    }


def sums_out(sums: Sums) -> dict[str, object]:
    estimated = sums.estimated_micro / 1_000_000 if sums.has_estimate else None
    return {
        "runs": sums.runs,
        "seconds": sums.seconds,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "reasoning_tokens": sums.reasoning_tokens,
        "cost_usd": None if sums.cost is None else float(sums.cost),
        "cost_source": sums.cost_source,
        "estimated_cost_usd": estimated,
        "unpriced_tokens": sums.unpriced_tokens,
    }


def limits_out(workspaces: list[Workspace]) -> list[dict[str, object]]:
    """Return an entry per window of each plan, and one per login whose windows are not known."""
    found: list[dict[str, object]] = []
    for source in limits.sources_of(workspaces):
        known = limits.windows_of([source])
        login = {"host": source.host.name, "backend": source.backend, "account": source.account or None}
        for window in known:
            reading = window.reading
            found.append(
                {
                    **login,
                    "window": reading.window,
                    "used_percent": window.percent,
                    "resets_at": reading.resets_at,
                    "fetched_at": reading.at,
                    "source": reading.origin,
                    "full_at": window.forecast.full_at if window.forecast else None,
                    "error": source.error or None,
                }
            )
        if not known and source.present and source.asked_at:
            answer = {"fetched_at": source.answered_at, "error": source.error or None}
            found.append({**NO_WINDOW, **login, **answer})
    return found


NO_WINDOW = dict.fromkeys(("window", "used_percent", "resets_at", "source", "full_at"))
