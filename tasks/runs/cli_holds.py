"""Holds runs whose CLI has changed on the host until a trial turn has shown that its version works."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tasks.models import Run
from tasks.runs import hooks
from workspaces.catalog.queries import place_of
from workspaces.hosts import HostConnection
from workspaces.models import InstalledCli, Workspace
from workspaces.trials import queries, services
from workspaces.trials.queries import HeldCli


class CliHeld(Exception):
    """The run's CLI has to be tried first, or is on hold. The message says so."""


def require_usable_cli(run: Run, host: HostConnection) -> None:
    """Look at the program that the run would start. Raises CliHeld, or HostError.

    Its version is noted now, so that also a run that fails to start has one.
    """
    workspace = run.task.workspace
    row = services.look(workspace, run.backend, host)
    if row.version:
        Run.objects.filter(pk=run.pk, cli_version="").update(cli_version=row.version)
    if why := queries.hold_of(row, workspace):
        raise CliHeld(why)


def note_end(run: Run) -> None:
    """A run that went well proves its version; one that failed may put it in doubt."""
    workspace = run.task.workspace
    if run.state == Run.State.SUCCEEDED:
        services.note_success(workspace, run.backend, run.cli_version, run.started_at)
    elif run.state == Run.State.FAILED and not run.output_tokens:
        died = run.reason_code == "cli_died" and run.started_at is None
        services.note_failure(workspace, run.backend, run.reason, died_at_start=died)


def repair() -> None:
    """Enqueue what the queued runs wait for: trial turns, and looks at held programs.

    Without a run that waits, nothing is tried: so an update costs nothing until its CLI is used.
    """
    services.repair()
    queued = Run.objects.filter(state=Run.State.QUEUED, task__workspace__try_changed_clis=True)
    waiting: dict[int, set[str]] = defaultdict(set)
    for workspace_id, backend in queued.values_list("task__workspace", "backend"):
        waiting[workspace_id].add(backend)
    for workspace in Workspace.objects.filter(pk__in=waiting):
        for backend, row in queries.rows_of(workspace).items():
            why = queries.hold_of(row, workspace) if backend in waiting[workspace.pk] else ""
            if why:
                services.request_due(row)
            if why and row.is_held:
                _tell(workspace, row, why)


def _tell(workspace: Workspace, row: InstalledCli, why: str) -> None:
    """Tell that runs wait for a held CLI, in the name of the first of them."""
    queued = Run.objects.filter(state=Run.State.QUEUED, task__workspace=workspace, backend=row.backend)
    if run := queued.order_by("pk").first():
        hooks.cli_held(run, why, f"{row.backend} {row.fingerprint or row.code}")


def held_clis(workspaces: Sequence[Workspace]) -> list[HeldCli]:
    """Return the CLIs on hold that these workspaces should know of.

    One that was never there is only told while a run waits for it.
    """
    held = queries.held_for(workspaces)
    if not held:
        return []
    waiting = Run.objects.filter(state=Run.State.QUEUED, task__workspace__in=workspaces)
    places = {
        (run.backend, *place_of(run.task.workspace)) for run in waiting.select_related("task__workspace")
    }
    return [each for each in held if each.row.path or _place(each) in places]


def _place(held: HeldCli) -> tuple[str, str, str]:
    return held.row.backend, held.row.host.key, held.row.environment
