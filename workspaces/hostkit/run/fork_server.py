"""`fork-server`: forks the guards of runs, so that all of them share the memory of what they import.

There is one for each tmux server and version of hostkit. The first run starts it (`start.py`), and it ends
when nothing has been asked of it for a while. That does not affect runs, nor does its sudden death: a guard
talks to its window itself.

It serves only processes that its own tmux server has started, with what that has given them: whoever could
make it start a run could have done so with tmux. A run's guard and its descendants are in the same control
group as the run's window, or the guard leaves it to the window to be one.
"""

from __future__ import annotations

import concurrent.futures.thread
import gc
import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import List, Optional

from .. import agents, processes
from ..folder import RunFolder
from . import guard, runner, start, terminal
from .window_link import WindowLink

IDLE_SECONDS = 120.0
TICK_SECONDS = 10.0
BACKLOG = 512
CREDENTIALS = struct.Struct("3i")
IMPORTED = (runner, traceback, concurrent.futures.thread)
"""What guards import only when they need it."""
CONTROL_GROUPS = Path("/sys/fs/cgroup")


def main(address: str) -> int:
    """Serve until there is nothing to do, or the tmux server or the socket is gone."""
    terminal.let_go()
    os.chdir(Path(sys.argv[0]).parent)  # the path of a UNIX socket is limited
    _tidy()
    for name in agents.names():
        with suppress(Exception):  # then the run says what is wrong with it
            agents.get(name)
    ForkServer(address).serve()
    return 0


def _tidy() -> None:
    """Remove what is left of tmux servers that have ended."""
    for path in Path().glob("hostkit-*.pyz.*"):
        *_, pid, kind = path.name.split(".")
        if kind in ("fork", "lock", "none") and pid.isdigit() and processes.stat(int(pid)) is None:
            with suppress(OSError):
                path.unlink()


class ForkServer:
    def __init__(self, address: str) -> None:
        self._address = address
        self._tmux = os.getppid()
        self._listener = _listen(address)
        self._inode = Path(address).stat().st_ino

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, _reap)
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        gc.collect()
        gc.freeze()  # or the collections in guards would copy the memory that they share
        last = time.monotonic()
        while time.monotonic() - last < IDLE_SECONDS and self._is_wanted():
            if select.select([self._listener], [], [], TICK_SECONDS)[0]:
                last = time.monotonic()
                with suppress(OSError):
                    self._accept()
        self._end()

    def _is_wanted(self) -> bool:
        """Whether its tmux server is there, and can reach it."""
        return os.getppid() == self._tmux and self._owns_address()

    def _owns_address(self) -> bool:
        try:
            return Path(self._address).stat().st_ino == self._inode
        except OSError:
            return False

    def _end(self) -> None:
        if self._owns_address():
            with suppress(OSError):
                Path(self._address).unlink()
        os._exit(0)

    def _accept(self) -> None:
        link, _ = self._listener.accept()
        with link:
            window = _pid_of(link)
            if not self._has_started(window):
                return
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
            try:
                if os.fork() == 0:
                    self._listener.close()
                    _guard_and_exit(link, window)
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, signal.SIGTERM})

    def _has_started(self, pid: int) -> bool:
        """Whether this process of our user is a child of our tmux server, such as no agent can be."""
        known = processes.stat(pid)
        return known is not None and known.parent == self._tmux


def _listen(address: str) -> socket.socket:
    """Listen, instead of one that has died."""
    temporary = "{}.{}".format(address, os.getpid())
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(temporary)
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    Path(temporary).replace(address)
    return listener


def _pid_of(link: socket.socket) -> int:
    """Return the process at the other end; 0 for one of another user."""
    data = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, user, _ = CREDENTIALS.unpack(data)
    return int(pid) if user == os.getuid() else 0


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _guard_and_exit(link: socket.socket, window: int) -> None:
    """Be the guard for the window at the other end, in this forked process. Does not return."""
    status = 70
    folder: Optional[RunFolder] = None
    try:
        _reset_signals()
        os.setsid()
        path = _take_over(link)
        folder = RunFolder(path)
        if _is_in_its_group(window):
            _show_as(path)
            status = _begin(link, path)
    except BaseException:
        if folder:
            with suppress(OSError):
                folder.log.write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _begin(link: socket.socket, path: str) -> int:
    """Say that a guard is there; start if the window has not given up."""
    link.sendall(str(os.getpid()).encode())
    if link.recv(len(start.GO)) != start.GO:
        return 0
    link.setblocking(False)
    return guard.main(path, WindowLink(link))


def _reset_signals() -> None:
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _take_over(link: socket.socket) -> str:
    """Take terminal, folder and environment of the window. Return the path of the run's folder."""
    link.settimeout(start.WAIT_SECONDS)
    head, control, _, _ = link.recvmsg(4, socket.CMSG_SPACE(3 * 4))
    terminal = [number for _, _, data in control for number in struct.unpack("3i", data)]
    for number, given in enumerate(terminal):
        os.dup2(given, number)
        os.close(given)
    path, folder, *variables = _read(link, int.from_bytes(head, "big")).split(b"\0")
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(dict(each.split(b"=", 1) for each in variables))
    time.tzset()
    return os.fsdecode(path)


def _read(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = link.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def _is_in_its_group(window: int) -> bool:
    """Whether this process is in the control group of the window; move it there if possible."""
    wanted = _groups_of(window)
    if _groups_of(os.getpid()) == wanted:
        return True
    path = wanted.partition(b"0::")[2].partition(b"\n")[0]
    with suppress(OSError):
        (CONTROL_GROUPS / os.fsdecode(path).lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))
    return _groups_of(os.getpid()) == wanted


def _groups_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cgroup").read_bytes()
    except OSError:
        return b""


def _show_as(path: str) -> None:
    """Overwrite the arguments that `ps` shows by those of a guard, by which `serve` finds it, too."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        begin, end = int(fields[45]), int(fields[46])
        words: List[str] = [sys.executable, sys.argv[0], "run", path]
        text = b"\0".join(map(os.fsencode, words)) + b"\0"
        if begin and len(text) <= end - begin:
            with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
                memory.seek(begin)
                memory.write(text.ljust(end - begin, b"\0"))
