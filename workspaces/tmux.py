"""tmux on a host: sessions of tasks, one window a run. A session that is not ours is never touched.

Targets are exact (`=name`), since tmux otherwise takes any session whose name begins alike. Nothing is set
globally: the options of whoever else uses this tmux server stay as they were.
"""

from __future__ import annotations

import posixpath
import re
import shlex
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from aitask.lib.errors import Refused
from workspaces.hosts import Completed, HostConnection, HostError

OLDEST = (3, 2)
PLACEHOLDER = "aitask-placeholder"
NAME = re.compile(r"[A-Za-z0-9_-]+")
PANE_HOOKS = ("after-split-window", "after-new-window")
"""What tmux calls when somebody opens a pane or window by hand."""
NO_SERVER = ("no server running", "error connecting to", "no current session", "no sessions")
_locks: dict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


class TmuxError(Refused):
    """tmux on the host is missing, too old, or refused."""


@dataclass(frozen=True)
class TmuxWindow:
    """One window as tmux lists it."""

    session: str
    owner: str
    "The session's option @aitask: `<installation>/<task>`, empty when it is not ours."
    name: str


def version_of(text: str) -> tuple[int, int] | None:
    """(3, 3) of `tmux 3.3a` or `tmux next-3.4`; None when it says nothing of the kind."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def require(host: HostConnection) -> None:
    """Raise TmuxError unless the host has a tmux that is new enough."""
    try:
        said = host.run(["tmux", "-V"], check=False).out
    except HostError as error:
        if error.code != "not_found":
            raise
        raise TmuxError(
            f"tmux is not installed on {host.label}.", "Install it there, such as: sudo apt install tmux"
        ) from error
    require_version(said, host)


def require_version(said: str, host: HostConnection) -> None:
    """Raise TmuxError when `tmux -V` said a version that can't be worked with: before 3.2 there is no flow
    control, and a browser that sleeps would stop the program it looks at."""
    version = version_of(said)
    if version is not None and version < OLDEST:
        raise TmuxError(
            f"{host.label} has {said.strip()}, which is too old.", "Install tmux 3.2 or newer there."
        )


def list_windows(host: HostConnection) -> list[TmuxWindow]:
    """All windows of the user's tmux server; none when it does not run."""
    done = _tmux(host, "list-windows", "-a", "-F", "#{session_name}:#{window_name}:#{@aitask}", check=False)
    if done.rc and not any(words in done.err for words in NO_SERVER):
        raise TmuxError(f"tmux on {host.label} refused: {done.err.strip()}")
    parts = (line.split(":") for line in done.out.splitlines())
    return [TmuxWindow(words[0], words[-1], ":".join(words[1:-1])) for words in parts if len(words) > 2]


def session_name(owner: int | str) -> str:
    """The name of our session for a task (its number), a workspace (`w` and its number) or a train."""
    return f"aitask-{owner}"


def owner_mark(installation: str, owner: int | str) -> str:
    """The mark on a session by which this installation recognises it."""
    return f"{installation}/{owner}"


def list_sessions(host: HostConnection) -> dict[str, str]:
    """Name → owner (`<installation>/<task>`, empty when not ours) of all sessions."""
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
    """Make the window `window` that runs `argv`, unless it is there; returns the session's real name.

    `recorder` gets all that the pane prints on its standard input, from the first byte to the last; `folder`
    is where `save_histories` writes. `opened` does as `recorder` for each pane that somebody opens in the
    session by hand: its last word gets `-<number>.raw` appended.
    A session of this name that is not `owner`'s is left alone: ours is then `<session>-<installation>`.
    Raises TmuxError and HostError.
    """
    _check_names(session, window)
    if len(argv) < 2:
        raise ValueError("A single word would be run by a shell.")
    with _locks[host.key, session]:
        require(host)
        windows = list_windows(host)
        name = _own_name(windows, session, owner)
        if any(known.session == name and known.name == window for known in windows):
            return name
        is_new = all(known.session != name for known in windows)
        keeping = [*_keeping(f"={name}:={window}", recorder, folder), *_keeping_opened(f"={name}:", opened)]
        _make(host, name, owner, window, argv, cwd, history_limit, keeping, is_new=is_new)
        return name


def save_histories(host: HostConnection, session: str) -> list[str]:
    """Write what each pane with a folder has shown into `history.txt` there; the files."""
    _check_names(session)
    listed = _tmux(host, "list-panes", "-s", "-t", f"={session}", "-F", "#{pane_id}|#{@aitask_folder}").out
    saved = []
    for line in listed.splitlines():
        pane, _, folder = line.partition("|")
        path = posixpath.join(folder, "history.txt")
        if folder and _capture(host, pane, path):
            saved.append(path)
    return saved


def capture_history(host: HostConnection, session: str, to_path: str, *, window: str = "") -> bool:
    """Write all that a window (default: the current one) has shown to a file there; False when it is gone."""
    _check_names(session)
    return _capture(host, f"={session}:={window}" if window else f"={session}:", to_path)


def _capture(host: HostConnection, target: str, to_path: str) -> bool:
    argv = ["tmux", "-u", "capture-pane", "-p", "-e", "-J", "-S", "-", "-E", "-", "-t", target]
    fresh = f"{to_path}.new"
    captured = not host.call("exec", {"argv": argv, "stdout_path": fresh})["rc"]
    # What an earlier call has saved must outlive one that comes too late.
    host.run(["mv", "-f", fresh, to_path] if captured else ["rm", "-f", fresh])
    return captured


def kill_session(host: HostConnection, session: str, *, owner: str) -> bool:
    """End our session and what runs in it; False when there is none of this name that is `owner`'s."""
    _check_names(session)
    if list_sessions(host).get(session) != owner:
        return False
    return not _tmux(host, "kill-session", "-t", f"={session}", check=False).rc


def _own_name(windows: Sequence[TmuxWindow], session: str, owner: str) -> str:
    """The first of the two names that is ours or free."""
    owners = {window.session: window.owner for window in windows}
    for name in (session, f"{session}-{owner.split('/')[0]}"):
        if owners.get(name, owner) == owner:
            return name
    raise TmuxError(
        f"There are foreign tmux sessions named {session} and {name}.", "Rename one: tmux rename-session"
    )


def _make(
    host: HostConnection,
    name: str,
    owner: str,
    window: str,
    argv: Sequence[str],
    cwd: str,
    history_limit: int,
    keeping: list[list[str]],
    *,
    is_new: bool,
) -> None:
    """One invocation: nobody sees half of it. The folder is the client's own, since -c expands formats.

    A pane takes its history limit when it is made, so a session's first one is a placeholder.
    """
    at = f"={name}:"
    placeholder = ["new-session", "-d", "-s", name, "-n", PLACEHOLDER, "-x", "200", "-y", "50", "sleep", "60"]
    commands = [
        *([placeholder] if is_new else []),
        ["set-option", "-t", at, "@aitask", owner],
        ["set-option", "-t", at, "history-limit", str(history_limit)],
        ["set-option", "-t", at, "destroy-unattached", "off"],
        *(["set-hook", "-u", "-t", at, hook] for hook in PANE_HOOKS),
        ["new-window", "-a", "-t", f"{at}{{end}}", "-n", window, *map(_word, argv)],
        *keeping,
        *([["kill-window", "-t", f"={name}:={PLACEHOLDER}"]] if is_new else []),
    ]
    words = [word for command in commands for word in (*command, ";")][:-1]
    done = _tmux(host, *words, cwd=cwd, check=False)
    if done.rc:
        raise TmuxError(f"tmux on {host.label} opened no window: {done.err.strip() or done.out.strip()}")


def _keeping(window: str, recorder: Sequence[str], folder: str) -> list[list[str]]:
    """What makes the window's pane be recorded."""
    pipe = [["pipe-pane", "-o", "-t", window, _word(_shell_line(recorder))]] if recorder else []
    return [*pipe, *([["set-option", "-p", "-t", window, "@aitask_folder", _word(folder)]] if folder else [])]


def _keeping_opened(session: str, recorder: Sequence[str]) -> list[list[str]]:
    """What makes panes be recorded that are opened in the session later; each has a file of its own."""
    if not recorder:
        return []
    pipe = f"pipe-pane {shlex.quote(_shell_line(recorder) + '-#{pane_pid}.raw')}"
    return [["set-hook", "-t", session, hook, _word(pipe)] for hook in PANE_HOOKS]


def _shell_line(recorder: Sequence[str]) -> str:
    """The command for a shell, in which tmux expands formats."""
    return "exec " + shlex.join(recorder).replace("#", "##").replace("%", "%%")


def _word(word: str) -> str:
    r"""A word that ends with a semicolon would end the command for tmux; `\;` is the semicolon itself."""
    return f"{word[:-1]}\\;" if word.endswith(";") else word


def _check_names(*names: str) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name for a session or window.")


def _tmux(host: HostConnection, *words: str, cwd: str | None = None, check: bool = True) -> Completed:
    """-u: without a locale, which a remote command often lacks, tmux would replace all but ASCII."""
    return host.run(["tmux", "-u", *words], cwd=cwd, check=check)
