"""Changes to sessions (create, save the history, close) and the terminal log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from posixpath import join

from django.contrib.auth.models import AbstractBaseUser
from django.db import connections
from django.utils import timezone

from aitask.lib.errors import Refused
from tasks.attachments import hosting
from tasks.attachments import services as attachments
from tasks.repository import Site, site_of
from tasks.runs import launch
from terminal.models import Visit
from terminal.places import Place
from workspaces import tmux
from workspaces.hostkit import wire
from workspaces.hosts import HostError

WINDOW = "shell"
MAX_HISTORY = 8 << 20
NO_TASK = "Files can only be given to the terminal of a task."
NO_TASK_HINT = "They are kept with a task, and removed with it. Copy the file to the host yourself instead."
MAX_RUNS = 20
"""How many of a task's newest runs are searched for saved output."""


@dataclass(frozen=True)
class History:
    """The saved output of a session, as bytes for a terminal."""

    data: bytes
    saved_at: float


def ensure_session(place: Place) -> str:
    """Create the session with a login shell in the worktree if it doesn't exist, and return its name.

    Creates the task's worktree if it has none. Raises Refused (HostError, GitError, TmuxError).
    """
    site = site_of(place.workspace)
    cwd = _working_directory(place, site)
    directory = _directories(place, site)[0]
    spec: wire.ShellSpec = {"worktree": cwd, "environment": place.workspace.environment}
    if not site.host.exists(join(directory, "spec.json")):
        site.host.call("write", {"path": join(directory, "spec.json"), "data": json.dumps(spec)})
    return tmux.ensure_window(
        site.host,
        session=tmux.session_name(place.task.pk) if place.task else place.session,
        owner=place.owner,
        window=WINDOW,
        argv=site.command("shell", directory),
        cwd=cwd,
        recorder=launch.recorder(site, directory, "shell"),
        opened=launch.opened(directory),
        folder=directory,
    )


def put_file(place: Place, pk: int, user: AbstractBaseUser) -> str:
    """Put an uploaded file on the host, and return its path there. Raises Refused (HostError).

    Called in a thread of its own, whose connection to the database is closed.
    """
    try:
        if place.task is None:
            raise Refused(NO_TASK, NO_TASK_HINT)
        attachments.attach(place.task, [pk], user)
        files = hosting.put_on_host(site_of(place.workspace), place.task, [pk])
        if not files:
            raise Refused("The file is no longer there.", "Paste or drop it once more.")
        return files[0]["path"]
    finally:
        connections.close_all()


def announcement(place: Place) -> str:
    """Return what `ensure_session` creates besides the session, as a sentence; empty if nothing."""
    task = place.task
    if task is None or task.worktree_path:
        return ""
    name = task.branch or f"aitask/{task.pk}-{task.slug}"
    branch = f"a worktree of the branch {name}" if task.branch else f"the branch {name} and its worktree"
    return f"This task has no worktree yet. Opening a terminal creates {branch} on {place.host_label}."


def close_session(place: Place, user: AbstractBaseUser, *, client: str = "") -> bool:
    """Save the output of the session and end it with all its processes; False if it doesn't exist.

    Raises Refused while a run of the task is active.
    """
    if place.task and place.task.runs.filter(state__in=("starting", "running", "waiting")).exists():
        raise Refused(
            "An agent is running in this session.", "Cancel the run first, or leave the session open."
        )
    site = site_of(place.workspace)
    names = [name for name, owner in tmux.list_sessions(site.host).items() if owner == place.owner]
    if not names:
        return False
    log(place, user, Visit.Kind.CLOSE_SESSION, client=client)
    saved = tmux.save_histories(site.host, names[0])
    if not saved:  # its windows were opened by an older version, which set no folder on them
        saved = [join(_directories(place, site)[0], "history.txt")]
        tmux.capture_history(site.host, names[0], saved[0])
    ended = tmux.kill_session(site.host, names[0], owner=place.owner)
    site.host.run(["touch", "-c", *saved])  # newer than the pane's record, so that it is read instead
    return ended


def read_history(place: Place) -> History | None:
    """Return the saved output of a session; None if there is none. Raises HostError."""
    parts = _scrollback(place, MAX_HISTORY)
    if not parts:
        return None
    data = b"".join(part["data"].encode("utf-8", "surrogateescape") for part in reversed(parts))
    return History(data, max(part["mtime"] for part in parts))


def saved_text(place: Place, limit: int) -> str:
    """Return at most so many bytes of the newest saved output, as text. Raises HostError."""
    return "\n".join(part["data"] for part in reversed(_scrollback(place, limit)))


def has_history(place: Place) -> bool:
    """Return whether the session has saved output; False if the host can't be reached."""
    try:
        return bool(_scrollback(place, 0))
    except HostError:
        return False


def log(place: Place, user: AbstractBaseUser, kind: str, *, client: str = "") -> Visit:
    """Add an entry to the terminal log."""
    return Visit.objects.create(
        kind=kind,
        user_id=user.pk,
        username=user.get_username(),
        workspace=place.workspace if place.workspace.pk else None,
        task=place.task,
        task_number=place.task.pk if place.task else None,
        host=place.address.key,
        session=place.session,
        client=client[:100],
        closed_at=None if kind == Visit.Kind.OPEN else timezone.now(),
    )


def _working_directory(place: Place, site: Site) -> str:
    """Return the directory in which the shell starts."""
    if place.task is None:
        path = place.workspace.repo_path
        return site.hello["home"] + path[1:] if path.startswith("~") else path
    return launch.worktree(place.task, site).path


def _directories(place: Place, site: Site) -> list[str]:
    """Return the folders on the host that may have saved output of the session, newest first."""
    shell = join(site.hello["state_dir"], "shells", place.key)
    runs = place.task.runs.exclude(run_dir="").order_by("-number")[:MAX_RUNS] if place.task else []
    return [*[run.run_dir for run in runs], shell]


def _scrollback(place: Place, limit: int) -> list[wire.ScrollbackPart]:
    """Return the saved output of the session's windows, newest first.

    At most `limit` bytes of text; with 0, only which files there are.
    """
    site = site_of(place.workspace)
    params: wire.ScrollbackParams = {"folders": _directories(place, site), "limit": limit}
    return site.host.call("read_scrollback", params, timeout=60)["parts"]


def mark_open(visit: Visit) -> None:
    """Log that the terminal is still open. This bounds the time if the server is killed."""
    Visit.objects.filter(pk=visit.pk).update(seen_at=timezone.now())


def mark_closed(visit: Visit) -> None:
    """Log that the browser disconnected."""
    now = timezone.now()
    Visit.objects.filter(pk=visit.pk).update(seen_at=now, closed_at=now)


def mark_created(visit: Visit) -> None:
    """Log that opening the terminal created the session."""
    Visit.objects.filter(pk=visit.pk).update(created_session=True)
