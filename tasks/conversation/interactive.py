"""Interactive sessions: the CLI's own interface on a task's CLI session, while no run is live."""

from __future__ import annotations

import re
from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.errors import Refused
from tasks.models import ByHand, Run, Task
from tasks.repository import Site, site_of
from tasks.runs import agent_settings, launch
from tasks.verbs import TaskVerb, require
from workspaces import access, clis, tmux
from workspaces.hosts import HostError

NOT_ALLOWED = "The branch brings hooks, MCP servers or permissions for agents that nobody has allowed."
LOOK_FIRST = "Open “Agent settings of the branch” in the task's menu, look at them, and allow them."
OPENING = timedelta(seconds=60)
"How long opening a window may take before it counts as failed."
OPEN = "This task's session is open in the CLI."
HINT = "End the CLI in its terminal first: two processes on one session would corrupt it."
IN_A_SHELL = "This task's session is open in a shell on its host."
RESUMED = r"^([^ ]*/)?(node [^ ]*/?)?{cli}( |$)"
"The command line of a CLI that a user has started on a session."


def open_window(task: Task, *, user: AbstractBaseUser | None) -> ByHand:
    """Open an interactive session.

    Raises NotAllowed if the user may not decide what runs here, Refused if a run is live or one is open
    already, HostError if the host can't be reached.
    """
    if user is not None:
        access.check_decision(user, task.workspace, "open a session in the CLI")
    run = task.runs.exclude(cli_session="").exclude(run_dir="").order_by("-number").first()
    if run is None:
        raise Refused("There is no session to open yet.", "Run the task first.")
    site = site_of(task.workspace)
    if is_open(task):
        raise Refused(f"{OPEN[:-1]} already.", "Its window is in the task's terminal.")
    refuse_if_open_in_shell(site, run.backend, run.cli_session)
    _require_allowed_settings(task)
    row = _claim(task, run, user)
    try:
        run.task = task
        session = launch.open_window(
            run, site, window=row.window, subcommand="interactive", cwd=task.worktree_path
        )
    except Refused:
        row.delete()
        raise
    ByHand.objects.filter(pk=row.pk).update(tmux_session=session)
    doorbell.ring(f"task:{task.pk}")
    return row


def _require_allowed_settings(task: Task) -> None:
    """Raise Refused if the worktree brings settings for agents that nobody has allowed. Runs wait for it."""
    task.workspace.refresh_from_db(fields=["allowed_agent_settings"])
    if not task.workspace.allows_agent_settings(agent_settings.read_settings(task)["digest"]):
        raise Refused(NOT_ALLOWED, LOOK_FIRST)


def _claim(task: Task, run: Run, user: AbstractBaseUser | None) -> ByHand:
    """Create the row before the window: a run that is queued in the meantime checks it before it starts."""
    try:
        with transaction.atomic():
            row = ByHand.objects.create(
                task=task, run=run, window=f"by-hand-{run.number}", opened_by_id=user.pk if user else None
            )
    except IntegrityError as error:
        raise Refused(f"{OPEN[:-1]} already.", "Another user has just opened it.") from error
    try:
        require(task, TaskVerb.OPEN_IN_CLI)
    except Refused:
        row.delete()
        raise
    return row


def is_open(task: Task) -> bool:
    """Whether the window exists on the host. Raises HostError if the host can't be reached."""
    row = ByHand.objects.filter(task=task).first()
    if row is None:
        return False
    windows = tmux.list_windows(site_of(task.workspace).host)
    exists = any((window.session, window.name) == (row.tmux_session, row.window) for window in windows)
    if not exists and (row.tmux_session or row.opened_at < timezone.now() - OPENING):
        ByHand.objects.filter(pk=row.pk).delete()
        doorbell.ring(f"task:{task.pk}")
        return False
    return True


def refuse_if_open(task: Task) -> None:
    """Raise Refused if the task has an interactive session."""
    if is_open(task):
        raise Refused(OPEN, HINT)


def refuse_if_session_in_use(run: Run) -> None:
    """Raise Refused if the run's CLI session is open, in an interactive session or in a shell."""
    refuse_if_open(run.task)
    if run.resumes:
        refuse_if_open_in_shell(site_of(run.task.workspace), run.backend, run.resumes)


def refuse_if_open_in_shell(site: Site, backend: str, session: str) -> None:
    """Raise Refused if a user has resumed this session in a shell, such as the one that a run leaves.

    Agents that a runner has started are recognized by the arguments that only runners use.
    """
    cli = clis.find(backend)
    if cli is None:
        return
    resumed = cli.resume_pattern.format(session=re.escape(session).replace("\\-", "-"))
    try:
        found = site.host.run(
            ["pgrep", "-a", "-f", "--", RESUMED.format(cli=resumed)], check=False, timeout=10
        )
    except HostError as error:
        if error.code == "not_found":  # the host has no pgrep
            return
        raise
    if any(not cli.runner_words or cli.runner_words not in line for line in found.out.splitlines()):
        raise Refused(IN_A_SHELL, HINT)
