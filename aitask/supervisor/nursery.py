"""Forks the children of `up` from a copy of it, so that they share the memory of what it has imported.

`up` forks the nursery before it has threads, and asks it for each child. The child is forked twice, so that
`up` adopts it, and waits for it as for a child of its own. Only on Linux: elsewhere, and whenever the nursery
does not answer, children are started by `subprocess`.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from aitask.supervisor import lifeline

PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36
ANSWER_SECONDS = 20.0
LONGEST_REQUEST = 512 * 1024
SHARED = (
    "channels.layers",
    "django_q.cluster",
    "tasks.runs.follower.watch",
    "tasks.runs.jobs",
    "workspaces.doctor",
)
"""What two children or more import. Nothing here may start a thread or open a connection."""


class ForkedProcess:
    """A child of `up`, with the part of `subprocess.Popen` that `up` uses."""

    def __init__(self, pid: int, stdin: int, stdout: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = os.fdopen(stdin, "wb", 0)
        self.stdout: io.BufferedReader = os.fdopen(stdout, "rb")

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self.stdin.close()
        return self.returncode


class Nursery:
    """The process that forks children; `up` ends it with `close`, or by ending itself."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self._link = link

    @classmethod
    def open(cls) -> Nursery | None:
        """Fork it; None where that is not possible. This process adopts orphans from now on."""
        if sys.platform != "linux" or not hasattr(os, "fork") or threading.active_count() > 1:
            return None
        if _prctl(PR_SET_CHILD_SUBREAPER, 1):
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        gc.collect()
        gc.freeze()  # the collector would write to each object, and so copy its page
        pid = os.fork()
        if not pid:
            _serve(theirs)
        theirs.close()
        ours.settimeout(ANSWER_SECONDS)
        return cls(pid, ours)

    def start(
        self, name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> ForkedProcess:
        """Fork a child that runs a module with arguments. `name` is shown by `top`. Raises OSError."""
        request = {"name": name, "command": [*command], "folder": str(folder), "environment": {**environment}}
        their_stdin, stdin = os.pipe()
        stdout, their_stdout = os.pipe()
        try:
            socket.send_fds(self._link, [json.dumps(request).encode()], [their_stdin, their_stdout])
            answer = self._link.recv(64)
            if not answer:
                raise OSError("the nursery has ended")
            return ForkedProcess(int(answer), stdin, stdout)
        except OSError:
            self._link.close()  # a late answer must not be taken for that to the next request
            os.close(stdin)
            os.close(stdout)
            raise
        finally:
            os.close(their_stdin)
            os.close(their_stdout)

    def close(self) -> None:
        self._link.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _prctl(option: int, value: int | bytes) -> int:
    status: int = ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    return status


def reap_adopted(own: set[int]) -> None:
    """Reap ended orphans that this process has adopted. `own` are children that are waited for elsewhere."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid in own:
                return
            os.waitpid(ended.si_pid, 0)


def _serve(link: socket.socket) -> NoReturn:
    """Fork a child for each request until `up` closes the other end."""
    try:
        os.setsid()  # the keys of the terminal are for `up`
        _close_all_but(link.fileno())
        for name in SHARED:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()
        while True:
            data, (stdin, stdout), _, _ = socket.recv_fds(link, LONGEST_REQUEST, 2)
            pid = _fork_adopted(link, stdin, stdout, data)
            os.close(stdin)
            os.close(stdout)
            link.send(str(pid).encode())
    except (OSError, ValueError):
        os._exit(0)  # `up` has ended
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _close_all_but(kept: int) -> None:
    """Close what belongs to `up`, such as its lock, and keep its outputs for errors."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") > 0 else 65_536)


def _fork_adopted(link: socket.socket, stdin: int, stdout: int, data: bytes) -> int:
    """Fork a child whose parent ends at once, so that `up` adopts it; return its pid."""
    told, tell = os.pipe()
    between = os.fork()
    if not between:
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            link.close()
            while os.getppid() == parent:  # modules see `up` as their parent from their first line on
                time.sleep(0.001)
            _become_child(stdin, stdout, json.loads(data))
        os.write(tell, str(pid).encode())
        os._exit(0)
    os.close(tell)
    os.waitpid(between, 0)
    with os.fdopen(told, "rb") as source:
        return int(source.read())


def _become_child(stdin: int, stdout: int, request: dict[str, Any]) -> NoReturn:
    """Run the module like a process of its own, and end."""
    code = 1
    try:
        os.setsid()
        _prctl(PR_SET_NAME, request["name"].encode())
        _show_as(" ".join(request["command"][:2]).partition(" -")[0].replace("manage ", "aitask "))
        for number, target in ((stdin, 0), (stdout, 1), (stdout, 2)):
            os.dup2(number, target)
        os.closerange(3, 64)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.stdout, sys.stderr = _writer(1), _writer(2)
        sys.argv = ["lifeline", *request["command"]]
        code = _exit_status(lifeline.main)
    except BaseException:
        traceback.print_exc()
    finally:
        _exit(code)


def _writer(number: int) -> io.TextIOWrapper:
    """Return an unbuffered output like that of a new interpreter. The file may not be seekable any more."""
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def _show_as(command: str) -> None:
    """Overwrite the arguments that `ps` shows, if there is room."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        begin, end = int(fields[45]), int(fields[46])
        text = command.encode().replace(b" ", b"\0") + b"\0"
        if begin and len(text) <= end - begin:
            with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
                memory.seek(begin)
                memory.write(text.ljust(end - begin, b"\0"))


def _exit_status(main: Any) -> int:
    try:
        main()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        sys.stderr.write(f"{error.code}\n")
        return 1
    return 0


def _exit(code: int) -> NoReturn:
    """End as an interpreter does, without going back into the frames of `up`."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for its threads, as at every exit
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
