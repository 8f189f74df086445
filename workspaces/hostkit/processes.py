"""Find and kill processes by /proc and prctl, including orphaned descendants."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterable, List, NamedTuple, Optional, Set

if TYPE_CHECKING:
    from .wire import Json

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
MARKER = "AITASK_RUN_FOLDER"
"""Environment variable of every process of a run. Its value is the run's folder."""
ROUND_SECONDS = 0.01


class Stat(NamedTuple):
    pid: int
    state: str
    parent: int
    start_time: int


_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper(on: bool = True) -> None:
    """Adopt orphaned descendants. The setting survives execve, so turn it off before starting a shell."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def die_with_parent(signal_number: int) -> None:
    """Let the kernel send this signal when the parent thread ends."""
    _libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)


def stat(pid: int) -> Optional[Stat]:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text.rpartition(b")")[2].split()
    return Stat(pid, fields[0].decode(), int(fields[1]), int(fields[19]))


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identity(pid: int) -> Json:
    """Return what distinguishes this process from a later one with the same pid."""
    known = stat(pid)
    return {"pid": pid, "start_time": known.start_time if known else 0, "boot_id": boot_id()}


def is_alive(process: Json) -> bool:
    known = stat(int(process.get("pid") or 0))
    return bool(
        known
        and known.state not in "ZX"
        and known.start_time == process.get("start_time")
        and boot_id() == process.get("boot_id")
    )


def all_pids() -> List[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def descendants(root: int) -> List[Stat]:
    """Return all descendants of `root`, including zombies, children before grandchildren."""
    children: Dict[int, List[Stat]] = {}
    for pid in all_pids():
        known = stat(pid)
        if known:
            children.setdefault(known.parent, []).append(known)
    found: List[Stat] = []
    level = children.get(root, [])
    while level:
        found += level
        level = [child for known in level for child in children.get(known.pid, [])]
    return found


def children(pid: int) -> Set[int]:
    """Return direct children as the kernel lists them. Fast, but one may be missing while others exit."""
    found: Set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.update(int(pid) for pid in path.read_bytes().split())
        except OSError:
            continue  # the thread has ended
    return found


def descendants_listed(root: int) -> List[Stat]:
    """Like `descendants`, but fast, because it does not read all of /proc. Incomplete like `children`."""
    found: List[Stat] = []
    level = children(root)
    while level:
        known = [each for each in map(stat, level) if each]
        found += known
        level = {child for each in known for child in children(each.pid)}
    return found


def marked(folder: str) -> List[int]:
    """Return this user's processes that have this run folder as MARKER, regardless of their parent."""
    needle = f"{MARKER}={folder}".encode("utf-8", "surrogateescape")
    return [pid for pid in all_pids() if pid != os.getpid() and needle in _environment_of(pid)]


def environment_of(pid: int) -> Dict[bytes, bytes]:
    """Return the variables that a process was started with; empty for one of another user."""
    parts = (line.partition(b"=") for line in _environment_of(pid))
    return {name: value for name, _, value in parts}


def _environment_of(pid: int) -> List[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def is_open(path: Path) -> bool:
    """Whether a process has this file open. Processes of other users may be missed."""
    wanted = os.path.realpath(path)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == wanted:  # noqa: PTH115 (Path.readlink needs Python 3.9)
                return True
        except OSError:
            continue  # closed by now, or a process of another user
    return False


def send(pids: Iterable[int], signal_number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal_number)


def sweep(limit: float = 5.0) -> int:
    """Kill all descendants, including those in other sessions, and return how many were killed.

    They are stopped first, so that a process that forks quickly can't escape. Processes that are still there
    after `limit` seconds are left.
    """
    deadline = time.monotonic() + limit
    ended: Set[int] = set()
    while time.monotonic() < deadline:
        below = descendants_listed(os.getpid()) or descendants(os.getpid())
        if not below:
            break
        living = [known.pid for known in below if known.state not in "ZX"]
        ended.update(living)
        send(living, signal.SIGSTOP)
        send(living, signal.SIGKILL)
        reap(known.pid for known in below if known.parent == os.getpid())
        time.sleep(ROUND_SECONDS)
    return len(ended)


def sweep_marked(folder: str, limit: float = 5.0) -> int:
    """Kill the processes of a run whose guard has died, and return how many were killed."""
    deadline = time.monotonic() + limit
    ended: Set[int] = set()
    while time.monotonic() < deadline:
        found = marked(folder)
        if not found:
            break
        ended.update(found)
        send(found, signal.SIGSTOP)
        send(found, signal.SIGKILL)
        time.sleep(ROUND_SECONDS)
    return len(ended)


def reap_orphans(own: Set[int]) -> None:
    """Reap ended orphans that this subreaper adopted. `own` are children that are waited for elsewhere."""
    for pid in children(os.getpid()) - own:
        known = stat(pid)
        if known and known.state == "Z":
            reap([pid])


def kill_orphans(own: Set[int]) -> None:
    """Kill the orphans that this subreaper adopted, with their descendants. `own` are children to keep."""
    for pid in children(os.getpid()) - own:
        found = [pid, *(known.pid for known in descendants_listed(pid))]
        send(found, signal.SIGSTOP)
        send(found, signal.SIGKILL)


def reap(pids: Iterable[int]) -> None:
    """Reap ended children by pid. Waiting for any child would consume statuses that other code waits for."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
