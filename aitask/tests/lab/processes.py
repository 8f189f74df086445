"""Processes of the lab: found by their parent or environment, and killed by their id, never by a name."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

from .wait import wait_for


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_memory(pid: int) -> int:
    """Return the bytes that a process uses, with its share of what others use too; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(size) << 10 for size in re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE))


def pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def parent_of(pid: int) -> int:
    """Return the parent's id; 0 if the process does not exist."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def children_of(pid: int) -> list[int]:
    return [child for child in pids() if parent_of(child) == pid]


def descendants_of(pid: int) -> list[int]:
    """Return all descendants, children first."""
    found = children_of(pid)
    for child in found:
        found += children_of(child)
    return found


def command_of(pid: int) -> str:
    """Return the command line, joined by spaces; empty if the process does not exist."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def name_of(pid: int) -> str:
    """Return the name of a process, such as "tmux: server"; empty if it does not exist."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment at a process's start; empty if it does not exist or can't be read."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in raw.split("\0") if "=" in entry)


def with_variable(name: str, value: str) -> list[int]:
    """Return the processes that were started with this variable, by which a test finds those of its app."""
    return [pid for pid in pids() if environment_of(pid).get(name) == value and is_alive(pid)]


def end_all_with_variable(name: str, value: str, program: str = "", timeout: float = 20.0) -> None:
    """SIGKILL the processes `with_variable`, all or those of one program, until there are none left."""

    def none_is_left() -> bool:
        left = [pid for pid in with_variable(name, value) if name_of(pid).startswith(program)]
        for pid in left:
            send(pid, signal.SIGKILL)
        return not left

    wait_for(none_is_left, timeout, f"the end of all with {name}={value}")


def of_user(uid: int) -> list[int]:
    found = []
    for pid in pids():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}").stat().st_uid == uid and is_alive(pid):
                found.append(pid)
    return found


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def end(process: subprocess.Popen[bytes], grace: float = 5.0) -> None:
    """Send SIGTERM, and SIGKILL after `grace` seconds; return when the process has been reaped."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def wait_until_gone(found: list[int], timeout: float = 10.0) -> None:
    wait_for(
        lambda: not [pid for pid in found if is_alive(pid)],
        timeout,
        f"the end of {[command_of(pid) for pid in found]}",
    )
