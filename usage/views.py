"""The usage page, its actions and the CSV export."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx
from aitask.lib.errors import Refused
from aitask.lib.formats import money, short_number
from aitask.lib.queue import enqueue
from aitask.lib.text import whole_number
from tasks.access import task_for
from tasks.answers import answer_on_task
from usage import admission, csv_export, jobs, limits, plots, pricing, queries, services
from usage.forms import BudgetForm
from usage.models import Audit, Budget, PlanSource
from usage.periods import MAX_DAYS, Period, period_of, zone_called
from workspaces import clis
from workspaces.access import can_edit, current_user, visible_workspaces, workspace_for, workspace_for_change
from workspaces.models import Workspace

ZONE_COOKIE = "aitask_zone"
RANGES = (7, 30, 90, 365)


def zone_of(request: HttpRequest) -> str:
    """Return the name of the user's time zone, as the browser reported it."""
    return request.GET.get("tz") or unquote(request.COOKIES.get(ZONE_COOKIE, "")) or "UTC"


def chosen_period(request: HttpRequest) -> Period:
    """Return the period in the URL, by default the last 30 days. Raises Refused if it is invalid."""
    zone = zone_of(request)
    first, last = (_parse_day(request.GET.get(name, "")) for name in ("from", "to"))
    if first or not request.GET.get("days"):
        return period_of(first, last, zone)
    days = whole_number(request.GET["days"])
    if not days or days > MAX_DAYS:
        raise Refused("Not a valid number of days.", f"Use a number from 1 to {MAX_DAYS}.")
    today = timezone.now().astimezone(zone_called(zone)).date()
    return period_of(today - timedelta(days=days - 1), today, zone)


def period_and_error(request: HttpRequest) -> tuple[Period, str]:
    """Like `chosen_period`, but for an invalid period return the last 30 days and the error."""
    try:
        return chosen_period(request), ""
    except Refused as error:
        return period_of(None, None, zone_of(request)), error.reason


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Refused("Not a valid date.", "Write dates like 2026-11-22.") from error


def chosen_workspace(request: HttpRequest) -> Workspace | None:
    wanted = whole_number(request.GET.get("workspace"))
    return None if wanted is None else workspace_for(request.user, wanted)


@require_GET
def usage_page(request: HttpRequest) -> HttpResponse:
    """Show the usage of a period, plan limits, budgets and audits."""
    workspaces = list(visible_workspaces(request.user))
    chosen = chosen_workspace(request)
    period, error = period_and_error(request)
    report = queries.report(current_user(request), period, chosen)
    with timezone.override(period.zone):
        return render(
            request,
            "usage/usage.html",
            {
                "nav": "usage",
                "workspaces": workspaces,
                "workspace": chosen,
                "period": period,
                "complaint": error,
                "ranges": RANGES,
                "report": report,
                "plots": drawn(report),
                "merged_bars": plots.by_task(report.merged.costliest),
                "prices": pricing.source(),
                "query": request.GET.urlencode(),
                **limits_context([chosen] if chosen else workspaces),
                **budgets_context(request, [chosen] if chosen else workspaces),
                "audits": Audit.objects.filter(workspace__in=workspaces).select_related("workspace"),
            },
        )


def drawn(report: queries.UsageReport) -> list[plots.Plot]:
    tokens = plots.by_model(report, "Tokens", lambda sums: sums.tokens, _short)
    cost = plots.by_model(report, "Cost", lambda sums: float(sums.cost or 0), _money)
    return [plot for plot in (tokens, cost) if plot]


def _short(value: float) -> str:
    return short_number(int(value))


def _money(value: float) -> str:
    return money(Decimal(str(value)))


def limits_context(workspaces: list[Workspace]) -> dict[str, Any]:
    sources = [source for source in limits.sources_of(workspaces) if source.present]
    windows = limits.windows_of(sources)
    logins: dict[tuple[str, str], list[str]] = {}
    for workspace in workspaces:
        logins.setdefault(limits.login_of(workspace), []).append(workspace.name)
    plans = [
        {
            "source": source,
            "place": place_of(source, logins.get((source.host.key, source.environment), [])),
            "windows": [window for window in windows if window.source.pk == source.pk],
            "console": cli.console,
            "api_console": cli.api_console,
        }
        for source in sources
        if (cli := clis.find(source.backend))
    ]
    return {
        "plans": plans,
        "subscriptions": sorted({name for plan in plans if (name := subscription(plan))}),
        "ask_again_at": jobs.next_request_at(workspaces),
        "has_workspaces": bool(workspaces),
    }


def place_of(source: PlanSource, workspaces: list[str]) -> str:
    """Describe where a plan is used: host, kind of account, workspaces."""
    parts = [source.host.label]
    if source.account:
        parts.append(f"{source.account} plan")
    if source.environment and workspaces:
        parts.append(f"with the variables of {', '.join(workspaces)}")
    return ", ".join(parts)


def subscription(plan: dict[str, Any]) -> str:
    """Return the name of the login's plan; empty for an API key. Only subscriptions have windows."""
    source: PlanSource = plan["source"]
    return source.account or (source.get_backend_display() if plan["windows"] else "")


def budgets_context(request: HttpRequest, workspaces: list[Workspace]) -> dict[str, Any]:
    """Return the budgets and their use. A budget's row is created when it is first saved."""
    known = {budget.workspace_id: budget for budget in Budget.objects.filter(workspace__in=workspaces)}
    lines = [
        budget_context(request, each, known.get(each.pk) or Budget(workspace=each)) for each in workspaces
    ]
    return {
        "budgets": [line for line in lines if line["budget"].pk],
        "without_budget": [line for line in lines if not line["budget"].pk],
        "is_only_workspace": len(lines) == 1,
    }


def budget_context(request: HttpRequest, workspace: Workspace, budget: Budget) -> dict[str, Any]:
    now = timezone.now()
    return {
        "workspace": workspace,
        "budget": budget,
        "spending": admission.spending(budget, now) if budget.pk else [],
        "is_lifted": bool(budget.lifted_until and budget.lifted_until > now),
        "form": BudgetForm(instance=budget, prefix=f"w{workspace.pk}"),
        "can_edit": can_edit(current_user(request), workspace),
    }


@require_GET
def usage_card(request: HttpRequest) -> HttpResponse:
    """Show today's usage, for the board."""
    zone = zone_called(zone_of(request))
    today = timezone.now().astimezone(zone).date()
    report = queries.report(current_user(request), Period(today, today, zone), chosen_workspace(request))
    sources = limits.sources_of(visible_workspaces(request.user))
    fullest = max(
        (window for window in limits.windows_of(sources) if window.percent is not None),
        key=lambda window: window.percent or 0,
        default=None,
    )
    return render(request, "usage/_card.html", {"totals": report.totals, "fullest": fullest})


@require_GET
def usage_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Download a row per day, workspace, CLI and model, or with `by=task` per task, CLI and model."""
    try:
        period = chosen_period(request)
    except Refused as error:
        return HttpResponseBadRequest(f"{error.reason} {error.hint}", content_type="text/plain")
    workspaces = queries.chosen(current_user(request), chosen_workspace(request))
    by_task = request.GET.get("by") == "task"
    rows = (csv_export.by_task if by_task else csv_export.by_day)(workspaces, period)
    writer = csv.writer(_Echo())
    lines = (writer.writerow(row) for row in rows)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"usage{'-by-task' if by_task else ''}-{period.first}-{period.last}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


class _Echo:
    """A file-like object that returns what is written, for `csv.writer`."""

    def write(self, text: str) -> str:
        return text


@require_POST
def limits_ask(request: HttpRequest) -> HttpResponse:
    """Request the plan limits from the CLIs, at most every five minutes."""
    workspaces = list(visible_workspaces(request.user))
    if jobs.next_request_at(workspaces) is not None:
        text = "The plan limits were refreshed within the last five minutes."
        return htmx.refused(request, text, to=reverse("usage"))
    for workspace in limits.logins(workspaces).values():
        enqueue(jobs.ask, workspace.pk)
    return htmx.done(request, "Refreshing the plan limits…", to=reverse("usage"))


@require_POST
def audit_start(request: HttpRequest) -> HttpResponse:
    """Enqueue a comparison with the CLIs' transcripts for each workspace."""
    for workspace in visible_workspaces(request.user):
        enqueue(jobs.compare_with_transcripts, workspace.pk)
    return htmx.done(request, "Comparing with the transcripts…", to=reverse("usage"))


@require_POST
def budget_save(request: HttpRequest, pk: int) -> HttpResponse:
    """Save the budget of a workspace."""
    workspace = workspace_for_change(request.user, pk)
    budget = Budget.objects.filter(workspace=workspace).first() or Budget(workspace=workspace)
    form = BudgetForm(request.POST, instance=budget, prefix=f"w{pk}")
    if not form.is_valid():
        labelled = ((form.fields[name].label, errors) for name, errors in form.errors.items())
        text = " ".join(f"{capfirst(label)}: {' '.join(map(str, errors))}" for label, errors in labelled)
        return htmx.refused(request, text, to=reverse("usage"))
    budget.zone = str(zone_called(zone_of(request)))
    services.save_budget(budget)
    return htmx.done(request, "Budget saved.", to=reverse("usage"), stay=False)


@require_POST
def budget_lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Lift a budget for today, or apply it again."""
    workspace = workspace_for(request.user, pk)
    if request.POST.get("lift") == "no":
        services.hold_again(workspace)
        return htmx.done(request, "The budget is enforced again.", to=reverse("usage"), stay=False)
    services.lift_for_today(workspace)
    return htmx.done(request, "The budget is lifted for today.", to=reverse("usage"), stay=False)


@require_POST
def task_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a run that resumes the task when the plan limit resets."""
    task = task_for(request.user, pk)
    text = "The task will resume when the plan limit resets."
    return answer_on_task(
        request, pk, lambda: services.resume_at_reset(task, user=current_user(request)), text
    )
