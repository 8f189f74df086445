"""Starting and ending a process together with all that it started; the one place that knows the platforms."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def start(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A child in a group of its own, its output and errors in one pipe, its standard input the lifeline."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
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


def ask_to_stop(child: subprocess.Popen[bytes]) -> None:
    """Only the leader is asked: it knows how to stop its own."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            child.terminate()


def has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether the leader has ended; then what it left behind is ended, before its number is used again."""
    if child.returncode is not None:
        return True
    if sys.platform == "win32":
        return child.poll() is not None
    ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    if ended:
        end(child)
    return ended


def end(child: subprocess.Popen[bytes]) -> None:
    """End the child and its group at once, and collect it."""
    if child.returncode is not None:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def bind_children_to_this_process() -> None:
    """Where there are no process groups, a job object ends all descendants with us, if it can be had."""
    if sys.platform == "win32":
        from aitask.supervisor.windows import create_kill_on_close_job

        with contextlib.suppress(OSError):
            create_kill_on_close_job()
