"""Plan limits: readings from runs and from requests to the CLIs. The app never reads a CLI's login itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from aitask.lib import doorbell
from tasks.models import Run
from tasks.runs.reducer import parse_time
from usage.forecast import Forecast, forecast
from usage.models import LimitReading, PlanSource
from workspaces.hostkit import wire
from workspaces.models import Workspace
from workspaces.models.model_list import digest_of

DUPLICATE_WITHIN = timedelta(minutes=5)
"A reading that equals the previous one is not stored within this time."
KEEP_FOR = timedelta(days=8)
"The newest reading of each window is kept longer."
LABELS = {
    "five_hour": "5 hours",
    "seven_day": "7 days",
    "overage": "extra usage",
    "extra_usage": "extra usage",
}


@dataclass(frozen=True)
class LimitWindow:
    """The current state of one window of a plan."""

    source: PlanSource
    reading: LimitReading
    forecast: Forecast | None

    @property
    def label(self) -> str:
        name, per_model = self.reading.window, "seven_day_"
        if name.startswith(per_model):
            return f"7 days, {name.removeprefix(per_model).replace('_', ' ').title()}"
        return LABELS.get(name, name.replace("_", " "))

    @property
    def is_over(self) -> bool:
        """Whether the window has been reset since the reading, so that its percentage is unknown."""
        return self.reading.resets_at is not None and self.reading.resets_at <= timezone.now()

    @property
    def percent(self) -> float | None:
        return None if self.is_over else self.reading.used_percent


def source_for(workspace: Workspace, backend: str) -> PlanSource:
    """Return the login that runs of this workspace use, creating its row if needed."""
    source, _ = PlanSource.objects.get_or_create(
        host=workspace.host, backend=backend, environment=digest_of(workspace.environment)
    )
    return source


def note_report(run: Run, event: wire.LimitEvent, at: datetime) -> None:
    """Store the plan limits that a run's CLI has reported (hook `limit_reported`)."""
    source = source_for(run.task.workspace, run.backend)
    store(source, event.get("windows") or [], at, LimitReading.Origin.RUN)
    doorbell.ring("queue")


def store(source: PlanSource, windows: Iterable[wire.PlanWindow], at: datetime, origin: str) -> None:
    """Store readings, ignoring duplicates."""
    for window in windows:
        name = str(window.get("window") or "")[:60]
        if not name:
            continue
        reading = LimitReading(
            source=source,
            window=name,
            used_percent=window["used_percent"],
            resets_at=parse_time(window.get("resets_at")),
            at=at,
            origin=origin,
        )
        if not _is_duplicate(reading):
            reading.save()


def _is_duplicate(new: LimitReading) -> bool:
    last = (
        LimitReading.objects.filter(source=new.source, window=new.window, at__lte=new.at)
        .order_by("-at", "-pk")
        .first()
    )
    if last is None:
        return False
    same = last.used_percent == new.used_percent and last.resets_at == new.resets_at
    return same and (last.at == new.at or (new.at - last.at < DUPLICATE_WITHIN and last.origin == new.origin))


def prune() -> None:
    """Delete old readings, except the newest of each window."""
    newest = LimitReading.objects.order_by().values("source", "window").annotate(last=Max("at"))
    for row in newest:
        old = LimitReading.objects.filter(source=row["source"], window=row["window"], at__lt=row["last"])
        old.filter(at__lt=timezone.now() - KEEP_FOR).delete()


def sources_of(workspaces: Iterable[Workspace]) -> list[PlanSource]:
    """Return the logins that these workspaces use."""
    wanted = {login_of(workspace) for workspace in workspaces}
    rows = PlanSource.objects.filter(host__key__in={key for key, _ in wanted}).select_related("host")
    return [row for row in rows.order_by("host__key", "backend") if (row.host.key, row.environment) in wanted]


def login_of(workspace: Workspace) -> tuple[str, str]:
    """Return what identifies a workspace's login: the host's key and a digest of the variables."""
    return workspace.address.key, digest_of(workspace.environment)


def windows_of(sources: Iterable[PlanSource]) -> list[LimitWindow]:
    """Return the newest reading and the forecast of each window."""
    found = []
    for source in sources:
        names = source.readings.order_by("window").values_list("window", flat=True).distinct()
        for name in names:
            recent = list(source.readings.filter(window=name).order_by("-at", "-pk")[:200])
            found.append(LimitWindow(source, recent[0], forecast(recent[::-1], timezone.now())))
    return found


def windows_for_start(workspace: Workspace, backend: str) -> list[LimitWindow]:
    """Return the windows that apply to a run, without forecasts. Called often, so it needs few queries."""
    found = PlanSource.objects.filter(
        host__key=workspace.address.key, backend=backend, environment=digest_of(workspace.environment)
    ).first()
    if found is None:
        return []
    newest: dict[str, LimitReading] = {}
    for reading in found.readings.filter(at__gt=timezone.now() - KEEP_FOR).order_by("at", "pk"):
        newest[reading.window] = reading
    return [LimitWindow(found, reading, None) for reading in newest.values()]


def logins(workspaces: Iterable[Workspace]) -> dict[tuple[int, str], Workspace]:
    """Return one workspace per login, that is, per host and set of variables."""
    return {(each.host.pk, digest_of(each.environment)): each for each in workspaces}
