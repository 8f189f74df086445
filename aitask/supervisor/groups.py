"""Start and end a process with all its descendants, on each platform."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aitask.lib import winapi
from aitask.supervisor.nursery import ForkedProcess

Process = subprocess.Popen[bytes] | ForkedProcess
"""A child of `up`."""


def start(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group. Both outputs share a pipe; standard input is the lifeline."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        if not winapi.has_console():  # started by pythonw: a child would open a window
            flags |= subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )


def ask_to_stop(child: Process) -> None:
    """Send a stop signal to the child only: it stops its own children."""
    with contextlib.suppress(OSError):
        if sys.platform != "win32":
            child.terminate()
        elif winapi.has_console():
            child.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            winapi.send_break(child.pid)


def has_ended(child: Process) -> bool:
    """Return whether the child has ended. If so, kill the rest of its group before its id is used again."""
    if child.returncode is not None:
        return True
    if sys.platform == "win32":
        return child.poll() is not None
    ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    if ended:
        end(child)
    return ended


def end(child: Process) -> None:
    """Kill the child and its group, and wait for it."""
    if child.returncode is not None:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def bind_children_to_this_process() -> None:
    """On Windows, create a job object that ends all descendants with this process, if that is allowed."""
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            winapi.create_kill_on_close_job()
