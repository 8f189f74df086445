"""Starts a run on its host: worktree, run folder, tmux window. Each step may be repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from posixpath import basename, dirname, join
from typing import TypedDict, cast

from django.conf import settings
from django.db.models import F

from aitask.lib import leases
from aitask.lib.errors import Refused
from tasks.attachments import hosting
from tasks.models import Run, Task
from tasks.order.predecessors import start_of
from tasks.repository import Site, site_of
from tasks.runs import cli_holds
from workspaces import git, permission_modes, recording, tmux
from workspaces.catalog import queries as catalog_queries
from workspaces.hostkit import wire
from workspaces.models import Workspace

MAX_ATTEMPTS = 3
REPLACED_SECONDS = 20.0
"How long a runner waits for a CLI that is missing or breaks at its start, because an update replaces it."
ASK_FIRST = (
    "The branch brings hooks, MCP servers or permissions for agents. "
    "Waiting for somebody to look at them and allow them."
)


def launch(run: Run) -> None:
    """Start the agent of a claimed run in its tmux window.

    Raises Refused (HostError, GitError), NotAllowedYet or CliHeld.
    """
    task, workspace = run.task, run.task.workspace
    site = site_of(workspace)
    if not run.attempts:  # else its window was opened, and its agent may be running
        cli_holds.require_usable_cli(run, site.host)
    tree = worktree(task, site)
    _require_allowed_settings(run, tree, site)
    _renew_lease(run)
    run_dir = site.run_dir(run)
    Run.objects.filter(pk=run.pk).update(run_dir=run_dir)
    spec: wire.RunSpec = {**spec_of(run, tree, site), **_attachments(run, site)}
    prepared = site.host.call("prepare_run", {"dir": run_dir, "spec": spec, "prompt": run.prompt})
    _renew_lease(run)
    run.refresh_from_db(fields=["cancel_requested_at"])
    if run.cancel_requested_at or prepared.get("started"):
        return
    _count_attempt(run)
    open_run_window(run, site, "run")


def open_run_window(run: Run, site: Site, subcommand: str) -> None:
    """Open the run's own window, and note where it is."""
    window = f"run-{run.number}"
    session = open_window(run, site, window=window, subcommand=subcommand, cwd=run.task.worktree_path)
    socket = site.hello["tmux_socket"]
    Run.objects.filter(pk=run.pk).update(tmux_session=session, tmux_window=window, tmux_socket=socket)


def reopen_window(run: Run) -> None:
    """Open a new window for a live run whose tmux server has ended. Raises Refused (HostError, TmuxError).

    It prints what the run has printed, so that the earlier record of the pane is dropped.
    """
    site = site_of(run.task.workspace)
    records = [join(run.run_dir, name) for name in ("pane.raw", "pane.raw.1", "history.txt")]
    site.host.run(["rm", "-f", "--", *records])
    open_run_window(run, site, "join")


class AttachedSpec(TypedDict):
    """The part of `spec.json` about attached files."""

    attachments: list[wire.AttachedFile]
    attachments_folder: str


def _attachments(run: Run, site: Site) -> AttachedSpec:
    """Put the files of the run's prompt on the host. Raises HostError."""
    task = run.task
    files = hosting.put_on_host(site, task, run.attachments)
    takes = catalog_queries.takes_pictures(task.workspace, run.backend, run.model)
    name = hosting.folder_name(task, site.installation)
    folder = join(site.hello["state_dir"], "attachments", name)
    return {"attachments": hosting.as_taken(files, takes), "attachments_folder": folder}


class NotAllowedYet(Exception):
    """The worktree brings settings for agents that nobody has allowed. `digest` identifies them."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


def _require_allowed_settings(run: Run, tree: git.Worktree, site: Site) -> None:
    """Raise NotAllowedYet for hooks, servers and permissions that a user has to look at first.

    CLIs would obey them without a question: they were put into the repository by whoever wrote the branch.
    """
    digest = site.host.call("agent_settings", {"path": tree.path})["digest"]
    workspace = run.task.workspace
    workspace.refresh_from_db(fields=["allowed_agent_settings"])
    if not workspace.allows_agent_settings(digest):
        raise NotAllowedYet(digest)


def open_window(run: Run, site: Site, *, window: str, subcommand: str, cwd: str) -> str:
    """Open a window in the task's tmux session that runs a hostkit subcommand; return the session's name."""
    return tmux.ensure_window(
        site.host,
        session=tmux.session_name(run.task_id),
        owner=site.owner(run.task.key),
        window=window,
        argv=site.command(subcommand, site.run_dir(run)),
        cwd=cwd,
        recorder=recorder(site, site.run_dir(run), subcommand),
        opened=opened(site.run_dir(run)),
        folder="" if subcommand == "interactive" else site.run_dir(run),
    )


def recorder(site: Site, folder: str, subcommand: str) -> list[str]:
    """Return the command that records the output of a pane in this folder, where it outlives tmux.

    A shell first prints the earlier output, which is not recorded again.
    """
    if subcommand == "shell":
        shown = site.host.call("fold_scrollback", {"folder": folder})["shown"]
        if shown:
            return site.command("record", join(folder, "pane.raw"), str(shown))
    return recording.recorder(join(folder, "hand.raw" if subcommand == "interactive" else "pane.raw"))


def opened(folder: str) -> list[str]:
    """Like `recorder`, for panes that users open in the session; tmux names their files."""
    return recording.recorder(join(folder, "opened"))


def spec_of(run: Run, tree: git.Worktree, site: Site) -> wire.RunSpec:
    """Return the instructions for the runner (`spec.json`)."""
    task, workspace = run.task, run.task.workspace
    return {
        "v": wire.PROTOCOL,
        "key": basename(site.run_dir(run)),
        "mark": run.mark,
        "origin": _origin_of(run),
        "run": run.pk,
        "task": task.pk,
        "number": run.number,
        "title": task.title,
        "kind": "plan" if run.is_plan else "work",
        "backend": run.backend,
        "model": run.model or None,
        "reasoning_effort": run.reasoning_effort or None,
        "permission_mode": "ask" if run.is_plan else cast("wire.PermissionModeName", run.permission_mode),
        "max_permission_mode": cast("wire.PermissionModeName", workspace.ceiling),
        "mode_after_plan": cast("wire.PermissionModeName", permission_modes.after_plan(workspace)),
        "worktree": tree.path,
        "repo": tree.repo,
        "repo_git_dir": tree.common_dir,
        "git_dir": tree.git_dir,
        "temporary": join(site.run_dir(run), "tmp"),
        "branch": tree.branch,
        "base_commit": task.base_commit,
        "resume": run.resumes or None,
        "fork": {"anchor": run.fork_at, "before": run.fork_before} if run.fork_at else None,
        "thread_total": _counted_before(run),
        "progress": run.progress,
        "environment": workspace.environment,
        "ssh_agent": workspace.ssh_agent,
        "replaced_seconds": REPLACED_SECONDS,
        "unreadable": _hidden_folders(workspace),
        "setup_command": workspace.setup_command.strip(),
        "setup_marker": join(tree.git_dir, "aitask-setup-done"),
        "copied": task.copied_files,
        "notices": list(tree.notices),
        "commit": {
            "enabled": workspace.commit_leftovers,
            "message": f"{task.title}\n\nLeft uncommitted by run {run.number} of task {task.pk}.",
            "name": workspace.git_name,
            "email": workspace.git_email,
        },
    }


def _origin_of(run: Run) -> wire.RunOrigin:
    """Return what a host keeps of the run's rows: see `tasks/runs/adoption.py`."""
    task = run.task
    return {
        "task_mark": task.mark,
        "task_prompt": task.prompt,
        "workspace": task.workspace_id,
        "repo_path": task.workspace.repo_path,
        "asked_by": run.asked_by.get_username() if run.asked_by else "",
        "queued_at": run.queued_at.isoformat(),
    }


def _hidden_folders(workspace: Workspace) -> list[str]:
    """Return the folders of the app that agents on this machine must not be able to read."""
    is_here = workspace.kind == Workspace.Kind.LOCAL
    return [str(settings.DATA_DIR.resolve())] if settings.HIDE_DATA_DIR and is_here else []


def worktree(task: Task, site: Site) -> git.Worktree:
    """Return the task's worktree; create it on first use, with the files to copy."""
    workspace = task.workspace
    name = f"{task.pk}-{task.slug}"
    tree = git.add_worktree(
        site.host,
        repo=workspace.repo_path,
        root=workspace.worktree_root,
        name=name,
        branch=task.branch or f"aitask/{name}",
        base=start_of(task),
        owner_mark=site.owner_of_worktree(task),
        known=git.Known(task.worktree_path, task.branch, task.base_commit) if task.branch else None,
    )
    copied = task.copied_files
    if workspace.copy_patterns and (tree.created or not copied):
        answer = site.host.call(
            "copy",
            {"source": tree.repo, "target": tree.path, "patterns": workspace.copy_patterns},
            timeout=120,
        )
        copied = sorted({*copied, *answer["copied"]})
        tree = replace(tree, notices=(*tree.notices, *_about_copies(answer["copied"], tree)))
    values = {
        "branch": tree.branch,
        "worktree_path": tree.path,
        "base_commit": tree.base_commit if tree.new_branch else task.base_commit or tree.base_commit,
        "copied_files": copied,
    }
    Task.objects.filter(pk=task.pk).update(**values)
    for field, value in values.items():
        setattr(task, field, value)
    return tree


def _about_copies(copied: Sequence[str], tree: git.Worktree) -> Iterator[str]:
    """Yield warnings about copies of virtual environments, whose scripts name the folder of the original."""
    for name in copied:
        if basename(name) == "pyvenv.cfg":
            folder = dirname(name) or "."
            yield (
                f"{folder} was copied from {tree.repo}. A virtual environment can't be moved: its scripts and"
                f" editable installs use the files in {tree.repo}, not those of this worktree. Let the setup"
                " command create it instead."
            )


def _counted_before(run: Run) -> wire.Json | None:
    """What the CLI had counted for the session that is resumed, where its totals continue."""
    if not run.resumes or run.fork_at:  # a fork has a session of its own, which nothing was counted of
        return None
    earlier = Run.objects.filter(cli_session=run.resumes, backend=run.backend, pk__lt=run.pk)
    last = earlier.filter(thread_total__isnull=False).order_by("-pk").first()
    return last.thread_total if last else None


def _count_attempt(run: Run) -> None:
    """Count attempts to open the window. Raises Refused after MAX_ATTEMPTS without a running runner."""
    if run.attempts >= MAX_ATTEMPTS:
        raise Refused(
            f"Its tmux window was opened {run.attempts} times, but the runner did not start in it.",
            "Open the tmux session on the host to see why.",
        )
    Run.objects.filter(pk=run.pk).update(attempts=F("attempts") + 1)


def _renew_lease(run: Run) -> None:
    if not leases.renew(Run.objects.filter(pk=run.pk)):
        raise leases.LeaseLost(f"{run} was taken over by another worker")
