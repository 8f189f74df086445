"""`run`: the process of a run's window.

A guard and a runner that start Python themselves take 20 MB and a quarter of a second. So this process
imports next to nothing, and lets a process of the host that has imported everything already fork the guard
(`fork_server.py`). For the time of the run it becomes a small shell script that passes the signals of the
terminal on to the guard.

Without a fork server it becomes the guard itself, as outside tmux, or if the folder can't be written to.
"""

# `pathlib` takes 1 MB:
# ruff: noqa: PTH100, PTH109, PTH116, PTH119, PTH120

from __future__ import annotations

import _socket  # `socket` takes 0.7 MB
import fcntl
import os
import sys
import time

from .. import lean

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Optional

WAIT_SECONDS = 10.0
"""How long a fork server may take to start, or to answer."""
POLL_SECONDS = 0.02
AVOID_SECONDS = 600.0
"""For how long no run asks for a fork server after one has not answered."""
GO = b"go\n"
WINDOW = r"""
trap '' QUIT TSTP
trap 'i=1; kill -INT "$1" 2>/dev/null' INT
trap 'i=1; kill -TERM "$1" 2>/dev/null' TERM
trap 'kill -HUP "$1" 2>/dev/null; exit 0' HUP
i=
printf 'go\n' >&3 || exit 1
until read -r line <&3; do
  [ "$i" ] || exit 0
  i=
done
trap - INT TERM HUP QUIT TSTP
exec "$2" -I -S -c "$3"
"""
"""The program of the window while a guard works for it: a shell, which takes the least memory.

Its third file is the link to the guard. A signal ends `read`, and so does the end of the guard. A guard that
has ended in order has left a line, and what the window becomes then.
"""
BECOME_SHELL = r"""
import _signal, os
data = b""
while True:
    more = os.read(3, 65536)
    if not more:
        break
    data += more
os.close(3)
folder, shell, *variables = data.split(b"\0")
_signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
os.chdir(folder)
os.execve(shell, [shell, "-l"], dict(each.split(b"=", 1) for each in variables))
"""
"""This needs no hostkit: that may have been removed since the run began."""
PADDING = "." * 512
"""An argument of the fork server, which makes room for those of a guard: `ps` and `serve` look for them."""


def main(path: str) -> int:
    """Run what is in the folder, and become the shell afterwards."""
    link = connect()
    if link:
        _become_window(link, path)
    from .guard import main as guard

    return guard(path)


def _become_window(link: _socket.socket, path: str) -> None:
    """Become the window of a guard that somebody else has forked. Return if none was: then none will be."""
    try:
        pid = _ask_for_guard(link, path)
        if pid:
            link.setblocking(True)
            os.dup2(link.fileno(), 3)
            os.set_inheritable(3, True)  # it may have been that already
            os.execv("/bin/sh", ["sh", "-c", WINDOW, "hostkit", str(pid), sys.executable, BECOME_SHELL])
    except OSError:
        pass
    link.close()  # a guard that is late finds nobody, and does not begin


def _ask_for_guard(link: _socket.socket, path: str) -> int:
    """Return the pid of the guard, which waits for a word; 0 if there is none."""
    variables = [name + b"=" + value for name, value in os.environb.items()]
    request = b"\0".join([os.fsencode(path), os.fsencode(os.getcwd()), *variables])
    terminal = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    head = len(request).to_bytes(4, "big")
    link.sendmsg([head], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, terminal)])
    link.sendall(request)
    answer = link.recv(64)
    return int(answer) if answer.isdigit() else 0


def connect() -> Optional[_socket.socket]:
    """Connect to the fork server of this tmux server, and start one if there is none.

    Return None outside tmux, and where none can be had.
    """
    server, _, _ = os.environ.get("TMUX", "").rpartition(",")
    tmux, _, pid = server.rpartition(",")
    if pid != str(os.getppid()):  # only the processes of windows are served
        return None
    here, kit = os.getcwd(), os.path.abspath(sys.argv[0])
    try:
        os.chdir(os.path.dirname(kit))
        return _connect_here(kit, tmux, pid) if _is_private() else None
    except OSError:
        return None
    finally:
        os.chdir(here)


def _is_private() -> bool:
    """Whether nobody else can get at the sockets in the current folder."""
    known = os.stat(".")
    return known.st_uid == os.getuid() and not known.st_mode & 0o077


def _connect_here(kit: str, tmux: str, pid: str) -> Optional[_socket.socket]:
    """Like `connect`, with a relative address, because the path of a UNIX socket is limited."""
    name = "{}.{}".format(kit, pid)
    address = os.path.basename(name) + ".fork"
    link = _connect_to(address)
    if link or _was_in_vain(name):
        return link
    lock = _create(name + ".lock")
    try:
        link = _start(kit, tmux, lock, address)
    finally:
        os.close(lock)
    if link is None:
        os.close(_create(name + ".none"))
    return link


def _create(name: str) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _was_in_vain(name: str) -> bool:
    try:
        return 0 <= time.time() - os.stat(name + ".none").st_mtime < AVOID_SECONDS
    except OSError:
        return False


def _start(kit: str, tmux: str, lock: int, address: str) -> Optional[_socket.socket]:
    """Start the fork server, unless another run is doing that; wait for it in any case."""
    deadline = time.monotonic() + WAIT_SECONDS
    is_starting = False
    while time.monotonic() < deadline:
        if not is_starting and _has_locked(lock):
            is_starting = True
            link = _connect_to(address)  # the one who had the lock before has started it
            if link or not _spawn(kit, tmux, address):
                return link
        time.sleep(POLL_SECONDS)
        link = _connect_to(address)
        if link:
            return link
    return None


def _has_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _spawn(kit: str, tmux: str, address: str) -> bool:
    """Let tmux start the fork server, so that it is no part of this window, and outlives it."""
    words = [*lean.command(sys.executable, kit), "fork-server", address, PADDING]
    command = "exec " + " ".join(map(_quoted, words)).replace("#", "##")
    argv = ["tmux", "-S", tmux, "run-shell", "-b", command]
    pid = os.posix_spawnp("tmux", argv, os.environ)
    return os.waitpid(pid, 0)[1] == 0


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"


def _connect_to(address: str) -> Optional[_socket.socket]:
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    link.settimeout(WAIT_SECONDS)
    try:
        link.connect(address)
    except OSError:
        link.close()
        return None
    return link
