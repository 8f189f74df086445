"""What can be done with a session: make it, save what it has shown, close it. And the log of who did it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from posixpath import join

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from aitask.lib.errors import Refused
from tasks.repository import Site, site_of
from tasks.runs import launch
from terminal.models import Visit
from terminal.places import Place
from workspaces import tmux
from workspaces.hostkit import wire
from workspaces.hosts import HostError

WINDOW = "shell"
MAX_HISTORY = 8 << 20
MAX_RUNS = 20
"""Runs of a task whose panes are read again, the newest first."""


@dataclass(frozen=True)
class History:
    """What a session that is gone had shown, as bytes for a terminal."""

    data: bytes
    saved_at: float


def ensure_session(place: Place) -> str:
    """Make the session with a login shell in the worktree, unless it is there; returns its name.

    A task without a worktree gets it now. Raises Refused (HostError, GitError, TmuxError).
    """
    site = site_of(place.workspace)
    cwd = _folder(place, site)
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
        opened=launch.opened(site, directory),
        folder=directory,
    )


def close_session(place: Place, user: AbstractBaseUser, *, client: str = "") -> bool:
    """Save what the session has shown and end it with all that runs in it; False when there was none."""
    if place.task and place.task.runs.filter(state__in=("starting", "running", "waiting")).exists():
        raise Refused(
            "An agent is at work in this session.", "Cancel its run first, or leave the session open."
        )
    site = site_of(place.workspace)
    names = [name for name, owner in tmux.list_sessions(site.host).items() if owner == place.owner]
    if not names:
        return False
    log(place, user, Visit.Kind.CLOSE_SESSION, client=client)
    saved = tmux.save_histories(site.host, names[0])
    if not saved:  # its windows are older than what is told of them now
        saved = [join(_directories(place, site)[0], "history.txt")]
        tmux.capture_history(site.host, names[0], saved[0])
    ended = tmux.kill_session(site.host, names[0], owner=place.owner)
    site.host.run(["touch", "-c", *saved])  # newer than the last that was recorded
    return ended


def read_history(place: Place) -> History | None:
    """What was kept of a session that is gone; None when there is nothing. Raises HostError."""
    parts = _scrollback(place, MAX_HISTORY)
    if not parts:
        return None
    data = b"".join(part["data"].encode("utf-8", "surrogateescape") for part in reversed(parts))
    return History(data, max(part["mtime"] for part in parts))


def has_history(place: Place) -> bool:
    """Whether anything was kept of this session."""
    try:
        return bool(_scrollback(place, 0))
    except HostError:
        return False


def log(place: Place, user: AbstractBaseUser, kind: str, *, client: str = "") -> Visit:
    """Write into the audit log that the user does this now."""
    return Visit.objects.create(
        kind=kind,
        user_id=user.pk,
        username=user.get_username(),
        workspace=place.workspace,
        task=place.task,
        task_number=place.task.pk if place.task else None,
        host=place.address.key,
        session=place.session,
        client=client[:100],
        closed_at=None if kind == Visit.Kind.OPEN else timezone.now(),
    )


def _folder(place: Place, site: Site) -> str:
    """Where the shell starts."""
    if place.task is None:
        path = place.workspace.repo_path
        return site.hello["home"] + path[1:] if path.startswith("~") else path
    return launch.worktree(place.task, site).path


def _directories(place: Place, site: Site) -> list[str]:
    """Folders on the host that keep something of this session, the newest first."""
    shell = join(site.hello["state_dir"], "shells", place.key)
    runs = place.task.runs.exclude(run_dir="").order_by("-number")[:MAX_RUNS] if place.task else []
    return [*[run.run_dir for run in runs], shell]


def _scrollback(place: Place, limit: int) -> list[wire.ScrollbackPart]:
    """What the session's windows have printed, the newest first."""
    site = site_of(place.workspace)
    asked: wire.ScrollbackParams = {"folders": _directories(place, site), "limit": limit}
    return site.host.call("read_scrollback", asked, timeout=60)["parts"]


def still_open(visit: Visit) -> None:
    """The browser is still there; a server that is killed can't log its end."""
    Visit.objects.filter(pk=visit.pk).update(seen_at=timezone.now())


def left(visit: Visit) -> None:
    """The browser has gone."""
    now = timezone.now()
    Visit.objects.filter(pk=visit.pk).update(seen_at=now, closed_at=now)


def note_created(visit: Visit) -> None:
    """The session was made for this visit."""
    Visit.objects.filter(pk=visit.pk).update(created_session=True)
