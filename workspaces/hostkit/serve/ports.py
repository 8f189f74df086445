"""`ports`: the TCP ports on which the processes of tasks listen, and nobody else's.

A process is a task's if it or a parent has the marker of one of the task's runs. Otherwise, if it or a parent
works in the task's worktree or was started there. The port of a container is held by the container engine. It
is a task's if the container was started from the task's worktree, or has a folder of it mounted.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from .. import containers, processes, sockets
from ..files import dumps
from ..wire import OpenPort, OpenPorts, PortOwner, PortsParams
from .requests import Request

POLL_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 30.0
"""How old an answer gets while the same sockets listen."""
SETTLE_SECONDS = 4.0
"""How long it is asked each time after a change: a container runs only after its port listens."""
MOST_PORTS = 20
"""Ports of one task that are told."""
MOST_WAIT = 300.0
Names = Tuple[str, ...]
ANOTHER: Names = ("\0",)
"""A run of a task that was not asked for, which may work in the worktree of one that was."""
MAX_DEPTH = 100
MAX_PROGRAM = 40
INTERPRETERS = ("bun", "deno", "node", "nodejs", "perl", "php", "python", "ruby", "sh", "bash")

Tasks = Dict[str, List[OpenPort]]


def ports(params: PortsParams, request: Request) -> OpenPorts:
    """Answer at once, or when the answer is no longer the one that is known."""
    if not sockets.is_supported():
        return {"supported": False, "digest": "", "tasks": {}}
    ended = threading.Event()
    request.on_change(ended.set)
    until = time.monotonic() + min(float(params.get("wait") or 0), MOST_WAIT)
    look = _Look(params["tasks"])
    while True:
        tasks = look.tasks()
        digest = hashlib.sha256(dumps(tasks)).hexdigest()
        if digest != params.get("known") or request.cancelled or time.monotonic() >= until:
            return {"supported": True, "digest": digest, "tasks": tasks}
        ended.wait(POLL_SECONDS)


class _Look:
    """Looks at processes only if other sockets listen than before: reading that is cheap."""

    def __init__(self, owners: Dict[str, PortOwner]) -> None:
        self._owners = owners
        self._seen: List[sockets.ListeningSocket] = []
        self._looked = self._changed = float("-inf")
        self._tasks: Tasks = {}

    def tasks(self) -> Tasks:
        now, found = time.monotonic(), sorted(sockets.listeners())
        if found != self._seen:
            self._seen, self._changed = found, now
        if now - self._changed < SETTLE_SECONDS or now - self._looked > LOOK_AGAIN_SECONDS:
            self._looked = now
            self._tasks = ports_of(self._owners, found)
        return self._tasks


class _Place(NamedTuple):
    """A loopback address and port, at which sockets of several processes may listen."""

    address: str
    port: int


class _Holder(NamedTuple):
    """Whose a socket is, and a process that has it open."""

    names: Names
    pid: int


def ports_of(owners: Dict[str, PortOwner], found: List[sockets.ListeningSocket]) -> Tasks:
    """Return the ports of each task. One that is also somebody else's is nobody's."""
    own = {each.inode for each in found if each.uid == os.getuid()}
    kinship = _Kinship(owners)
    held = {inode: kinship.owner(pids) for inode, pids in sockets.holders(own).items()} if own else {}
    places: Dict[_Place, List[Optional[_Holder]]] = {}
    for each in found:
        places.setdefault(_Place(each.address, each.port), []).append(held.get(each.inode))
    answer: Tasks = {name: [] for name in owners}
    for place, holders in sorted(places.items()):
        first = holders[0]
        if first and all(each and each.names == first.names for each in holders):
            for name in first.names:
                _add(answer[name], place, program_of(first.pid))
    _add_containers(answer, kinship, sorted(place for place, holders in places.items() if not any(holders)))
    return answer


def _add(known: List[OpenPort], place: _Place, program: str) -> None:
    """Add a port, unless another address of it is known: 127.0.0.1 comes before ::1."""
    if len(known) < MOST_PORTS and place.port not in [each["port"] for each in known]:
        known.append({"port": place.port, "address": place.address, "program": program})


def _add_containers(answer: Tasks, kinship: _Kinship, unclaimed: List[_Place]) -> None:
    """Add ports that no process of a task holds, but that a container of it publishes."""
    running = containers.running() if unclaimed else []
    for place in unclaimed:
        publishing = [each for each in running if place.port in each.ports]
        owners = {kinship.owner_of_folders(each.folders) for each in publishing}
        if len(owners) == 1:
            for name in owners.pop():
                _add(answer[name], place, publishing[0].name[:MAX_PROGRAM])


class _Kinship:
    """Tells whose processes are. What is known of a process is read once."""

    def __init__(self, owners: Dict[str, PortOwner]) -> None:
        self._marks: Dict[bytes, Names] = {}
        self._worktrees: Dict[str, Names] = {}
        for name, each in owners.items():
            for folder in map(os.fsencode, each["folders"]):
                self._marks[folder] = (*self._marks.get(folder, ()), name)
            if each["worktree"]:
                path = os.path.realpath(each["worktree"])
                self._worktrees[path] = (*self._worktrees.get(path, ()), name)
        self._known: Dict[int, Tuple[Names, Names]] = {}
        self._app = set(self._line(os.getpid()))

    def owner(self, pids: List[int]) -> Optional[_Holder]:
        """Return whose socket it is that these processes have open; None for one of the app's own."""
        if self._app.intersection(pids):
            return None
        for pid in pids:
            line = [self._of(each) for each in self._line(pid) if each not in self._app]
            marked = next((marks for marks, _ in line if marks), ())
            names = marked or next((inside for _, inside in line if inside), ())
            if names:
                return None if names == ANOTHER else _Holder(names, pid)
        return None

    def owner_of_folders(self, folders: List[str]) -> Names:
        """Return whose worktree has all of these folders that are in any worktree."""
        found = {self._in_worktree(os.path.realpath(folder)) for folder in folders} - {()}
        return found.pop() if len(found) == 1 else ()

    def _line(self, pid: int) -> List[int]:
        """Return a process and its parents, without the first process of the system."""
        line: List[int] = []
        while pid > 1 and pid not in line and len(line) < MAX_DEPTH:
            line.append(pid)
            known = processes.stat(pid)
            pid = known.parent if known else 0
        return line

    def _of(self, pid: int) -> Tuple[Names, Names]:
        """Return whose a process is: by the marker of a run, and by its folder. Each may be empty."""
        if pid not in self._known:
            variables = processes.environment_of(pid)
            folder = variables.get(os.fsencode(processes.MARKER), b"")
            marked = self._marks.get(folder, ANOTHER) if folder else ()
            folders = (_folder_of(pid), os.fsdecode(variables.get(b"PWD", b"")))
            inside = next(filter(None, map(self._in_worktree, folders)), ())
            self._known[pid] = marked, inside
        return self._known[pid]

    def _in_worktree(self, folder: str) -> Names:
        """Return whose worktree a folder is in: of nested ones the innermost."""
        while folder.startswith(os.sep) and folder != os.sep:
            if folder in self._worktrees:
                return self._worktrees[folder]
            folder = os.path.dirname(folder)  # noqa: PTH120
        return ()


def _folder_of(pid: int) -> str:
    """Return the working directory of a process; empty for one of another user."""
    folder = f"/proc/{pid}"
    try:
        if os.stat(folder).st_uid != os.getuid():  # noqa: PTH116
            return ""
        return os.readlink(f"{folder}/cwd")  # noqa: PTH115
    except OSError:
        return ""


def program_of(pid: int) -> str:
    """Return a short name of a program: of a script, the script's."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    argv = [word.decode("utf-8", "replace") for word in words]
    if not argv or not argv[0]:
        return ""
    name = _base(argv[0])
    if name.rstrip("0123456789.") not in INTERPRETERS:
        return name[:MAX_PROGRAM]
    rest = argv[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        rest = rest[1:]
    if rest[:1] == ["-m"]:
        rest = rest[1:]
    return (_base(rest[0]) if rest else name)[:MAX_PROGRAM]


def _base(word: str) -> str:
    """Return the last part of a path; of a title that a program has set for itself, the first word."""
    return word.split(" ", 1)[0].rstrip("/").rpartition("/")[2] or word
