"""The jobs of Spotlight: they let the host do what the row says, and note what has become of it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from aitask.lib import doorbell, leases
from aitask.lib.errors import Refused
from aitask.lib.queue import enqueue
from tasks.models import Spotlight
from tasks.repository import Site, site_of
from workspaces.git.repos import branch_tip
from workspaces.git.spotlight import CheckoutState, look, put_back, show
from workspaces.hosts import HostError

HOST_PAUSE = timedelta(seconds=15)
State = Spotlight.State
ROWS = Spotlight.objects
ENDED_OUTSIDE = "The checkout was put back meanwhile: a merge train needed it, or somebody else went back."


def enqueue_work(pk: int) -> None:
    """Enqueue what the row asks for, unless a worker does it or a job is queued."""
    leases.enqueue_once(ROWS.filter(pk=pk), work, pk)


def enqueue_look(workspace_id: int) -> None:
    """Let a worker look whether the host still shows what the row says."""
    for pk in ROWS.filter(workspace=workspace_id, state=State.SHOWN).values_list("pk", flat=True):
        enqueue(look_again, pk)


def repair() -> None:
    """Enqueue again what a lost job left undone. Called in each round of the follower."""
    busy = ROWS.filter(state__in=Spotlight.BUSY)
    leases.end_leases_of_dead_processes(busy)
    for pk in busy.filter(leases.unleased()).values_list("pk", flat=True):
        enqueue_work(pk)


def work(pk: int) -> None:
    """Show the wanted task, or go back. If the host can't be reached, it is tried again."""
    pause = None
    with leases.held(ROWS.filter(pk=pk, state__in=Spotlight.BUSY)) as taken:
        if not taken:
            return
        row = ROWS.select_related("workspace", "wanted").get(pk=pk)
        try:
            do = _show if row.state == State.SHOWING else _go_back
            do(row, site_of(row.workspace))
        except HostError as error:
            if error.retryable:
                pause = HOST_PAUSE
                _note(row, (row.state,), reason=error.reason, hint=error.hint)
            else:
                _refused(row, error)
        except Refused as error:
            _refused(row, error)
    if pause:
        leases.pause(ROWS.filter(pk=pk), pause)
    doorbell.ring(f"workspace:{row.workspace_id}", "board")


def look_again(pk: int) -> None:
    """Note that the checkout was put back without the app's doing."""
    row = ROWS.select_related("workspace").filter(pk=pk, state=State.SHOWN).first()
    if row is None:
        return
    try:
        state = look(site_of(row.workspace).host, row.path)
    except Refused:  # it will be seen when somebody goes back
        return
    if not state.is_on and _note(row, (State.SHOWN,), state=State.OFF, task=None, told=ENDED_OUTSIDE):
        doorbell.ring(f"workspace:{row.workspace_id}", "board")


def _show(row: Spotlight, site: Site) -> None:
    task = row.wanted
    if task is None:
        raise Refused("The task was deleted.")
    commit = branch_tip(site.host, site.place.path, task.branch)
    if not commit:
        raise Refused(f"The branch {task.branch} no longer exists.", "Run the task again.")
    owner = {"installation": site.installation, "task": task.key}
    done = show(site.host, site.place.path, commit, owner)
    _note(
        row,
        (State.SHOWING,),
        state=State.SHOWN,
        task=task,
        wanted=None,
        commit=commit,
        path=site.place.path,
        rescue=done.rescue,
        told=" ".join(done.told),
        reason="",
        hint="",
    )
    others = ROWS.filter(path=site.place.path, state=State.SHOWN).exclude(pk=row.pk)
    for other in others.select_related("workspace"):
        if other.workspace.address == row.workspace.address:
            _note(other, (State.SHOWN,), state=State.OFF, task=None, told=ENDED_OUTSIDE)


def _go_back(row: Spotlight, site: Site) -> None:
    done = put_back(site.host, row.path or site.place.path)
    told = " ".join(done.told)
    _note(row, (State.RETURNING,), state=State.OFF, task=None, told=told, reason="", hint="")


def _refused(row: Spotlight, error: Refused) -> None:
    """Note why it was refused, and what the checkout shows now, as far as that can be seen."""
    values = {"reason": error.reason, "hint": error.hint, "wanted": None}
    try:
        state = look(site_of(row.workspace).host, row.path or row.workspace.repo_path)
    except Refused:
        state = CheckoutState(is_on=row.task_id is not None)
    values |= {"state": State.SHOWN} if state.is_on else {"state": State.OFF, "task": None}
    _note(row, Spotlight.BUSY, **values)


def _note(row: Spotlight, expected: tuple[str, ...], **values: object) -> bool:
    return row.change(expected, changed_at=timezone.now(), **values)
