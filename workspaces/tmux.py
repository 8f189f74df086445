"""tmux on a host: a session per task, a window per run.

Our sessions are on a tmux server of our own, whose socket is in the host's state folder (hostkit's
`tmux_socket`). Earlier versions made them on the user's server: those are found there until they are closed,
and nothing else there is changed. Targets are exact (`=name`), because tmux otherwise takes any session whose
name has that prefix.
"""

from __future__ import annotations

import posixpath
import re
import shlex
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aitask.lib.errors import Refused
from workspaces.hosts import Completed, HostConnection, HostError

OLDEST = (3, 2)
PLACEHOLDER = "aitask-placeholder"
NAME = re.compile(r"[A-Za-z0-9_-]+")
PANE_HOOKS = ("after-split-window", "after-new-window")
"""The tmux hooks that run when the user opens a pane or window."""
NO_SERVER = (
    *("no server running", "error connecting to", "no current session", "no sessions", "no current target"),
    *("server exited", "lost server"),
)
RESTARTING = (*NO_SERVER, "can't find session")
"""What tmux says while its server ends or starts, or while the session closes."""
RESTART_SECONDS = 6.0
NO_CONFIGURATION = ("-f", "/dev/null")
"""The user's ~/.tmux.conf configures the user's server only."""
_locks: dict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
_without_earlier: set[str] = set()
"""Keys of the hosts whose user's server has no session of an earlier version (left)."""


class TmuxError(Refused):
    """tmux on the host is missing, is too old, or has reported an error."""


@dataclass(frozen=True)
class TmuxWindow:
    """One window as tmux lists it."""

    session: str
    owner: str
    "The session's option @aitask: `<installation>/<task>`, empty when it is not ours."
    name: str


@dataclass(frozen=True)
class Tmux:
    """A tmux server on a host: our own, or the user's if `socket` is empty."""

    host: HostConnection = field(repr=False)
    socket: str = ""

    @property
    def options(self) -> list[str]:
        """The options of the tmux command that select this server.

        With -u, because a remote command often has no locale, and tmux would replace all but ASCII.
        """
        return ["-u", *(["-S", self.socket, *NO_CONFIGURATION] if self.socket else [])]

    def run(self, *args: str, cwd: str | None = None, check: bool = True) -> Completed:
        return self.host.run(["tmux", *self.options, *args], cwd=cwd, check=check)

    def windows(self) -> list[TmuxWindow]:
        """Return all windows; none if the server is not running."""
        done = self.run("list-windows", "-a", "-F", "#{session_name}:#{window_name}:#{@aitask}", check=False)
        if done.rc and not any(text in done.err for text in NO_SERVER):
            raise TmuxError(f"tmux on {self.host.label} failed: {done.err.strip()}")
        lines = (line.split(":") for line in done.out.splitlines())
        return [TmuxWindow(parts[0], parts[-1], ":".join(parts[1:-1])) for parts in lines if len(parts) > 2]


def own_server(host: HostConnection) -> Tmux:
    """Return our server, whether it runs or not."""
    return Tmux(host, host.hello()["tmux_socket"])


def earlier_server(host: HostConnection) -> Tmux | None:
    """Return the user's server if it has sessions that an earlier version has made there, else None."""
    if host.key in _without_earlier:
        return None
    users = Tmux(host)
    if any(window.owner for window in users.windows()):
        return users
    _without_earlier.add(host.key)  # and none will be made there any more
    return None


def servers(host: HostConnection) -> list[Tmux]:
    """Return the servers that may have sessions of ours, our own first."""
    earlier = earlier_server(host)
    return [own_server(host), *([earlier] if earlier else [])]


def version_of(text: str) -> tuple[int, int] | None:
    """Return (3, 3) for `tmux 3.3a`; None if the text holds no version."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def require(host: HostConnection) -> None:
    """Raise TmuxError unless the host has a tmux that is new enough."""
    try:
        output = host.run(["tmux", "-V"], check=False).out
    except HostError as error:
        if error.code != "not_found":
            raise
        raise TmuxError(
            f"tmux is not installed on {host.label}.", "Install it there, for example: sudo apt install tmux"
        ) from error
    require_version(output, host)


def require_version(output: str, host: HostConnection) -> None:
    """Raise TmuxError if the output of `tmux -V` names a version before 3.2. Those lack flow control: a
    browser that stops reading would stop the program in the pane.
    """
    version = version_of(output)
    if version is not None and version < OLDEST:
        raise TmuxError(
            f"{host.label} has {output.strip()}, which is too old.", "Install tmux 3.2 or newer there."
        )


def list_windows(host: HostConnection) -> list[TmuxWindow]:
    """Return the windows of our server, and those of ours on the user's."""
    own, *others = servers(host)
    return [*own.windows(), *(window for other in others for window in other.windows() if window.owner)]


def session_name(owner: int | str) -> str:
    """Return the session name of a task (its number), a workspace (`w` and its number) or a merge train."""
    return f"aitask-{owner}"


def owner_mark(installation: str, owner: int | str) -> str:
    """Return the mark by which this installation recognises its sessions."""
    return f"{installation}/{owner}"


def list_sessions(host: HostConnection) -> dict[str, str]:
    """Map the name of each session to its owner (`<installation>/<task>`, empty if it is not ours)."""
    return {window.session: window.owner for window in list_windows(host)}


def ensure_window(
    host: HostConnection,
    *,
    session: str,
    owner: str,
    window: str,
    argv: Sequence[str],
    cwd: str,
    recorder: Sequence[str] = (),
    opened: Sequence[str] = (),
    folder: str = "",
    history_limit: int = 50_000,
) -> str:
    """Open the window `window` that runs `argv`, unless it exists; return the session's actual name.

    `recorder` is a command that gets everything the pane prints on its standard input; `folder` is where
    `save_histories` writes. `opened` is the recorder of panes that the user opens in the session;
    `-<pid>.raw` is appended to its last argument.
    If another owner has a session of this name, ours is called `<session>-<installation>`; if an owner that
    this installation has forgotten has that one, too, it is called `<session>-<task>`.
    Raises TmuxError and HostError.
    """
    _check_names(session, window)
    if len(argv) < 2:
        raise ValueError("tmux would pass a single argument to a shell.")
    server = own_server(host)

    def ensure() -> str:
        windows = _reachable_windows(server)
        name = _own_name(windows, session, owner)
        if any(known.session == name and known.name == window for known in windows):
            return name
        is_new = all(known.session != name for known in windows)
        recording = [*_record(f"={name}:={window}", recorder, folder), *_record_opened(f"={name}:", opened)]
        _open_window(server, name, owner, window, argv, cwd, history_limit, recording, is_new=is_new)
        return name

    with _locks[host.key, session]:
        require(host)
        return _retry_while_restarting(ensure)


def _reachable_windows(server: Tmux) -> list[TmuxWindow]:
    """Return the server's windows, also if it runs without its socket, which was removed."""
    windows = server.windows()
    if not windows and server.host.call("recover_tmux", {})["recovered"]:
        windows = server.windows()
    return windows


def _retry_while_restarting(run: Callable[[], str]) -> str:
    """Call `run` again while the tmux server ends and another one starts, or the session has just closed."""
    deadline, pause = time.monotonic() + RESTART_SECONDS, 0.1
    while True:
        try:
            return run()
        except TmuxError as error:
            if not any(text in error.reason for text in RESTARTING) or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(1.0, pause * 2)


def save_histories(host: HostConnection, session: str) -> list[str]:
    """Write the scrollback of each pane with a folder to its `history.txt`; return the files written."""
    _check_names(session)
    server = _server_of(host, session)
    listed = server.run("list-panes", "-s", "-t", f"={session}", "-F", "#{pane_id}|#{@aitask_folder}").out
    saved = []
    for line in listed.splitlines():
        pane, _, folder = line.partition("|")
        path = posixpath.join(folder, "history.txt")
        if folder and _capture(server, pane, path):
            saved.append(path)
    return saved


def capture_history(host: HostConnection, session: str, to_path: str, *, window: str = "") -> bool:
    """Write the scrollback of a window (default: the current one) to a file on the host.

    Return False if the window does not exist.
    """
    _check_names(session)
    server = _server_of(host, session)
    return _capture(server, f"={session}:={window}" if window else f"={session}:", to_path)


def _server_of(host: HostConnection, session: str) -> Tmux:
    """Return the server that has the session; our own if none has."""
    own, *others = servers(host)
    if others and all(window.session != session for window in own.windows()):
        return others[0]
    return own


def _capture(server: Tmux, target: str, to_path: str) -> bool:
    host = server.host
    capture = ["capture-pane", "-p", "-e", "-J", "-S", "-", "-E", "-", "-t", target]
    temporary = f"{to_path}.new"
    argv = ["tmux", *server.options, *capture]
    captured = not host.call("exec", {"argv": argv, "stdout_path": temporary})["rc"]
    # A capture that fails must not replace what an earlier one has saved.
    host.run(["mv", "-f", temporary, to_path] if captured else ["rm", "-f", temporary])
    return captured


def kill_session(host: HostConnection, session: str, *, owner: str) -> bool:
    """Kill the session and what runs in it; False if `owner` has no session of this name."""
    _check_names(session)
    killed = False
    for server in servers(host):
        if any((window.session, window.owner) == (session, owner) for window in server.windows()):
            killed |= not server.run("kill-session", "-t", f"={session}", check=False).rc
    return killed


def kill_window(host: HostConnection, session: str, window: str, *, owner: str) -> bool:
    """Kill the window and what runs in it; False if `owner` has no such window."""
    _check_names(session, window)
    killed = False
    for server in servers(host):
        if TmuxWindow(session, owner, window) in server.windows():
            killed |= not server.run("kill-window", "-t", f"={session}:={window}", check=False).rc
    return killed


def _own_name(windows: Sequence[TmuxWindow], session: str, owner: str) -> str:
    """Return the first of the possible names that is ours or unused."""
    owners = {window.session: window.owner for window in windows}
    for name in (session, *(f"{session}-{part}" for part in owner.split("/"))):
        if owners.get(name, owner) == owner:
            return name
    raise TmuxError(f"Other tmux sessions are named {session} and {name}.", "Rename one: tmux rename-session")


def _open_window(
    server: Tmux,
    name: str,
    owner: str,
    window: str,
    argv: Sequence[str],
    cwd: str,
    history_limit: int,
    recording: list[list[str]],
    *,
    is_new: bool,
) -> None:
    """Open the window by one tmux invocation, so that it is atomic. `cwd` is the client's own working
    directory, because tmux would expand formats in -c.

    A pane takes its history limit when it is created, so the first pane of a session is a placeholder.
    """
    at = f"={name}:"
    placeholder = ["new-session", "-d", "-s", name, "-n", PLACEHOLDER, "-x", "200", "-y", "50", "sleep", "60"]
    commands = [
        # Or the end of the last session would look like a crash, which runs outlive.
        ["set-option", "-s", "exit-empty", "off"],
        *([placeholder] if is_new else []),
        ["set-option", "-t", at, "@aitask", owner],
        ["set-option", "-t", at, "history-limit", str(history_limit)],
        ["set-option", "-t", at, "destroy-unattached", "off"],
        *(["set-hook", "-u", "-t", at, hook] for hook in PANE_HOOKS),
        ["new-window", "-a", "-t", f"{at}{{end}}", "-n", window, *map(_escape, argv)],
        *recording,
        *([["kill-window", "-t", f"={name}:={PLACEHOLDER}"]] if is_new else []),
    ]
    args = [arg for command in commands for arg in (*command, ";")][:-1]
    done = server.run(*args, cwd=cwd, check=False)
    if done.rc:
        why = done.err.strip() or done.out.strip()
        raise TmuxError(f"tmux on {server.host.label} opened no window: {why}")


def _record(window: str, recorder: Sequence[str], folder: str) -> list[list[str]]:
    """Return the tmux commands that record the window's pane."""
    pipe = [["pipe-pane", "-o", "-t", window, _escape(_shell_line(recorder))]] if recorder else []
    option = ["set-option", "-p", "-t", window, "@aitask_folder", _escape(folder)]
    return [*pipe, *([option] if folder else [])]


def _record_opened(session: str, recorder: Sequence[str]) -> list[list[str]]:
    """Return the tmux commands that record panes opened in the session later, each to its own file."""
    if not recorder:
        return []
    pipe = f"pipe-pane {shlex.quote(_shell_line(recorder) + '-#{pane_pid}.raw')}"
    return [["set-hook", "-t", session, hook, _escape(pipe)] for hook in PANE_HOOKS]


def _shell_line(recorder: Sequence[str]) -> str:
    """Return the recorder as a shell command in which tmux expands nothing."""
    return "exec " + shlex.join(recorder).replace("#", "##").replace("%", "%%")


def _escape(arg: str) -> str:
    r"""Escape a trailing semicolon as `\;`: tmux would take it for the end of the command."""
    return f"{arg[:-1]}\\;" if arg.endswith(";") else arg


def _check_names(*names: str) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid name for a session or window.")
