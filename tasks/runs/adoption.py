"""Makes rows for runs that a host knows and the database does not, as after an older backup was restored.

Each host is asked once after a follower has started. A forgotten run becomes a row that counts as running,
and the follower does the rest: it reads all events from the beginning, and the outcome if there is one. Runs
of one task are adopted one after another, because a task has at most one live run.

Agents can write what hosts keep of a run. So a row takes only what another run of the workspace could have,
too: its folder is named by the app, and its worktree is one that git lists.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.color import no_style
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from aitask.lib.queue import enqueue
from aitask.lib.text import storable
from tasks.models import RemovedRun, Run, Task
from tasks.repository import Site, site_of
from tasks.runs import hooks
from tasks.runs.reducer import parse_time
from workspaces import clis, tmux
from workspaces.git.repos import branch_tip
from workspaces.git.worktree_list import list_trees
from workspaces.hostkit import wire
from workspaces.hosts import HostError, untrusted
from workspaces.models import Host, Installation, PermissionMode, Workspace

RETRY = timedelta(seconds=20)
"How long after an attempt a host is asked again that could not be reached or has more to adopt."
MARK = re.compile(r"[a-z]{10}")
MAX_NUMBER = 10_000
MAX_GAP = 100_000
"How far a kept primary key may be from the highest one, so that nobody can use up the numbers."

log = logging.getLogger(__name__)


class Adopted(Enum):
    """What became of a forgotten run."""

    NOW = "now"
    LATER = "later"
    "Its task has a live run."
    NEVER = "never"


def enqueue_due(since: datetime, tried: dict[int, datetime]) -> None:
    """Enqueue a job for each host that was not asked since then. `tried` holds the last attempts."""
    now = timezone.now()
    unasked = models.Q(asked_for_runs_at=None) | models.Q(asked_for_runs_at__lt=since)
    due = [host for host in Host.objects.filter(unasked) if tried.get(host.pk, since - RETRY) <= now - RETRY]
    keys = {workspace.address.key for workspace in Workspace.objects.all()} if due else set()
    for host in due:
        tried[host.pk] = now
        if host.key in keys:
            enqueue(ask_host, host.pk)


def ask_host(host_id: int) -> None:
    """Adopt what the host knows and the database does not; ask again later if that was not all."""
    host = Host.objects.get(pk=host_id)
    workspaces = [each for each in Workspace.objects.order_by("pk") if each.address.key == host.key]
    if not workspaces:
        return
    began = timezone.now()
    try:
        complete = _adopt_all(workspaces)
    except Refused as error:
        log.info("%s could not be asked for forgotten runs: %s", host.key, error)
        return
    if complete:
        Host.objects.filter(pk=host.pk).update(asked_for_runs_at=began)


def _adopt_all(workspaces: list[Workspace]) -> bool:
    """Adopt the forgotten runs of the workspaces' host; return whether none is left for later."""
    site, complete, more = site_of(workspaces[0]), True, True
    known = {*_marks(Run), *_marks(RemovedRun)}
    while more:
        params: wire.ForgottenRunsParams = {
            "installation": Installation.current_key(),
            "known": sorted(known),
        }
        answer = untrusted.fit(site.host.call("forgotten_runs", params, timeout=60), wire.ForgottenRuns)
        marks = {str(found["spec"].get("mark")) for found in answer["runs"]}
        more = answer["more"] and not marks <= known
        known |= marks
        for found in answer["runs"]:
            complete &= _adopt_one(found, workspaces) is not Adopted.LATER
    return complete


def _marks(model: type[Run] | type[RemovedRun]) -> list[str]:
    return list(model._default_manager.exclude(mark="").values_list("mark", flat=True))


def _adopt_one(found: wire.ForgottenRun, workspaces: list[Workspace]) -> Adopted:
    spec = untrusted.fit(found["spec"], wire.RunSpec)
    origin = untrusted.fit(spec.get("origin"), wire.RunOrigin)
    workspace = _workspace_of(origin, workspaces)
    if workspace is None or not _is_valid(spec):
        log.warning("a forgotten run in %s belongs to no workspace here", found["dir"])
        return Adopted.NEVER
    site = site_of(workspace)
    if found["dir"] != site.run_folder(spec["run"], spec.get("mark", "")):
        return Adopted.NEVER
    place = _place_of(site, spec)
    try:
        with transaction.atomic():
            run = _make_rows(site, spec, origin, storable(found["prompt"]), place)
    except IntegrityError:  # another worker has adopted it, or its task has a live run
        return Adopted.LATER
    if run is None:
        return Adopted.NEVER
    if session := _session(site, run):
        where = {"tmux_session": session, "tmux_socket": site.hello["tmux_socket"]}
        Run.objects.filter(pk=run.pk).update(**where, tmux_window=f"run-{spec['number']}")
    log.info("adopted %s, which was started as run %d of task %d", run, spec["number"], spec["task"])
    doorbell.ring(f"task:{run.task_id}", "queue")
    return Adopted.NOW


def _workspace_of(origin: wire.RunOrigin, workspaces: list[Workspace]) -> Workspace | None:
    """Return the workspace of the same repository, the one with the same number first."""
    same = [each for each in workspaces if each.repo_path == origin["repo_path"]]
    return next((each for each in same if each.pk == origin["workspace"]), same[0] if same else None)


def _is_valid(spec: wire.RunSpec) -> bool:
    return (
        MARK.fullmatch(spec.get("mark", "")) is not None
        and spec["backend"] in clis.names()
        and 0 < spec["number"] < MAX_NUMBER
        and spec["run"] > 0
        and spec["task"] > 0
        and spec["permission_mode"] in PermissionMode.values
    )


def _place_of(site: Site, spec: wire.RunSpec) -> dict[str, Any]:
    """Return branch and worktree for the task, as far as the repository has them."""
    values: dict[str, Any] = {}
    branch, path = spec["branch"], spec["worktree"]
    if not branch or branch == site.branch or not branch_tip(site.host, site.place.path, branch):
        return values
    values |= {"branch": branch[:250], "base_commit": spec["base_commit"][:64]}
    values["copied_files"] = [name for name in spec["copied"] if name]
    trees = list_trees(site.host, site.place.path)
    if any(tree.path == path and not tree.is_main for tree in trees):
        values["worktree_path"] = path
    return values


def _make_rows(
    site: Site, spec: wire.RunSpec, origin: wire.RunOrigin, prompt: str, place: dict[str, Any]
) -> Run | None:
    """Make the run, and its task if the database does not have it; None if the run is known by now."""
    mark = spec.get("mark", "")
    if Run.objects.filter(mark=mark).exists() or RemovedRun.objects.filter(mark=mark).exists():
        return None
    user = get_user_model()._default_manager.filter(username=origin["asked_by"]).first()
    task = _known_task(site, spec, origin) or _new_task(site, spec, origin, prompt, user)
    fork = spec.get("fork")
    taken = set(task.runs.values_list("number", flat=True))
    run = Run.objects.create(
        pk=_free_pk(Run, spec["run"]),
        task=task,
        mark=mark,
        number=spec["number"] if spec["number"] not in taken else max(taken) + 1,
        state=Run.State.RUNNING,
        run_dir=site.run_folder(spec["run"], mark),
        backend=spec["backend"],
        model=(spec["model"] or "")[:100],
        reasoning_effort=(spec["reasoning_effort"] or "")[:20],
        permission_mode=spec["permission_mode"],
        prompt=prompt,
        resumes=(spec["resume"] or "")[:100],
        fork_at=(fork["anchor"] if fork else "")[:100],
        fork_before=bool(fork and fork["before"]),
        asked_by=user,
        queued_at=parse_time(origin["queued_at"]) or timezone.now(),
    )
    _move_sequences_on(Run)
    if place and not Task.objects.filter(workspace=site.workspace, branch=place["branch"]).exists():
        Task.objects.filter(pk=task.pk, branch="").update(**place)
    Task.objects.filter(pk=task.pk).update(status=Task.Status.RUNNING, updated_at=timezone.now())
    hooks.usage_changed(run)
    return run


def _known_task(site: Site, spec: wire.RunSpec, origin: wire.RunOrigin) -> Task | None:
    """Return the task by its mark; one of before the marks by its number."""
    tasks = Task.objects.filter(workspace=site.workspace)
    if origin["task_mark"]:
        return tasks.filter(mark=origin["task_mark"]).first()
    return tasks.filter(mark="", pk=spec["task"]).first()


def _new_task(site: Site, spec: wire.RunSpec, origin: wire.RunOrigin, prompt: str, user: Any) -> Task:
    """Make the task again. It keeps its number unless another one has got that meanwhile."""
    marked = {"mark": origin["task_mark"]} if MARK.fullmatch(origin["task_mark"]) else {}
    task = Task.objects.create(
        pk=_free_pk(Task, spec["task"]),
        workspace=site.workspace,
        title=" ".join(spec["title"].split())[:200] or "A task that the database had forgotten",
        prompt=origin["task_prompt"] or prompt,
        backend=spec["backend"],
        model=(spec["model"] or "")[:100],
        reasoning_effort=(spec["reasoning_effort"] or "")[:20],
        status=Task.Status.RUNNING,
        rank=Task.rank_at_end(Task.Status.RUNNING),
        created_by=user,
        **marked,
    )
    _move_sequences_on(Task)
    return task


def _free_pk(model: type[Run] | type[Task], wanted: int) -> int | None:
    """Return the primary key if no row has it; None for the next one."""
    highest: int = model._default_manager.aggregate(last=models.Max("pk"))["last"] or 0
    is_free = wanted <= highest + MAX_GAP and not model._default_manager.filter(pk=wanted).exists()
    return wanted if is_free else None


def _move_sequences_on(model: type[Run] | type[Task]) -> None:
    """Let PostgreSQL give no primary key that a row has got by hand. SQLite does so by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(statement)


def _session(site: Site, run: Run) -> str:
    """Return the tmux session of the run's task; empty if there is none."""
    try:
        owners = tmux.list_sessions(site.host)
    except (tmux.TmuxError, HostError):
        return ""
    return next((name for name, owner in owners.items() if owner == site.owner(run.task.key)), "")
