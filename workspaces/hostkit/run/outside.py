"""Notices what changes outside a run's own branch and worktree while the run goes on.

It compares the other branches, configuration and hooks of the repository, and uncommitted files of its main
worktree, with what they were before. That shows what has changed, not who did it: users and merge trains
change the same things. Paths that tool calls of the run name are told apart.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Deque, Dict, Iterator, List, NamedTuple, Optional, Set

from ..files import dumps, read_json, write_atomic
from ..folder import RunFolder
from ..git.places import GitFolders, UnsafeGitFolder, find, first_line
from ..spotlight.journal import originals
from ..wire import MAX_OUTSIDE_PATHS
from .commit import CommitError, Git, place_of

if TYPE_CHECKING:
    from ..wire import Json, OutsideEvent, RunEvent, RunSpec

GIT_SECONDS = 20.0
"""A repository that takes longer is not watched."""
PAUSE = 2.0
"""Seconds between two looks during a run."""
SHARE = 20
"""Looking at files takes at most this fraction of the time."""
SETTLE_SECONDS = 1.0
"""What a merge changes in the main worktree is uncommitted for a moment only."""
MARGIN_SECONDS = 0.1
"""Clocks of file systems are behind by a few milliseconds."""
MAX_FOLDERS = 2000
MAX_COMMAND = 20000
FAILURES = (CommitError, UnsafeGitFolder, OSError, subprocess.SubprocessError)
STATUS = "status --porcelain=v2 --branch --no-renames -z --untracked-files=normal --ignore-submodules=dirty"
FIELDS = {"1": 8, "u": 10, "?": 1}
"""Number of fields before the path, by the kind of a record."""
WORDS = re.compile(r"[\s'\"`=;|&()<>]+")
Signature = List[int]


class Files(NamedTuple):
    """Uncommitted files of a worktree, with what shows that one has changed again."""

    head: str
    files: Dict[str, Signature]
    at: int
    "When they were read, in nanoseconds of the files' clock."
    branch: str = ""
    "What is checked out: the name of a branch, or `(detached)`. Empty if it was not read."


class Outside:
    """Looks at one repository for one run. Only `note` may be called while another call is in progress."""

    def __init__(self, folder: RunFolder, spec: RunSpec) -> None:
        self.path = folder.path / "outside.json"
        self.spec = spec
        self.common = spec.get("repo_git_dir") or ""
        self.main = spec.get("repo") or ""
        self.own = spec.get("worktree") or ""
        self.refs: Dict[str, str] = {}
        self.config: Dict[str, str] = {}
        self.files: Dict[str, Files] = {}
        self._noted: Deque[RunEvent] = deque(maxlen=1000)
        self._named: Dict[str, float] = {}
        """Other worktrees that commands of the run have named, and when."""
        self._signature: object = None
        self._saved, self._recorded = b"", False
        self._suspects: Set[str] = set()
        self._look_at_files, self._next_files = False, 0.0

    # before the run

    def begin(self) -> None:
        """Record how everything is, once. A repository that can't be read is not watched."""
        if not self.common or self.path.exists():
            return
        try:
            self._signature = self._stats()
            self.refs, self.config = self._read_refs(), self._read_config()
        except FAILURES:
            return
        with suppress(*FAILURES):
            found = self._read_files(self.main) if self.main else None
            if found:
                self.files[self.main] = found
        self._recorded = True
        self.save()

    def load(self) -> bool:
        """Continue from what was recorded; False if nothing was."""
        state = read_json(self.path)
        if state:
            self.refs, self.config, self._named = state["refs"], state["config"], state["named"]
            self.files = {place: Files(*found) for place, found in state["files"].items()}
        return state is not None

    def save(self) -> None:
        """Keep what has been reported, if everything was recorded. On a full disk, the next call does."""
        if not self._recorded:
            return
        state = {"refs": self.refs, "config": self.config, "files": self.files, "named": self._named}
        data = dumps(state)
        if data == self._saved:
            return
        with suppress(OSError):
            write_atomic(self.path, data)
            self._saved = data

    # during the run

    def note(self, event: RunEvent) -> None:
        """Take an event of the run, to see which paths its tool calls name."""
        if event["kind"] in ("tool", "tool_result", "file_change"):
            self._noted.append(event)

    def look(self, *, idle: bool) -> List[OutsideEvent]:
        """Return what has changed since the last look. `idle` is whether no tool call is in progress."""
        found: List[OutsideEvent] = []
        if not self._recorded:
            return found
        with suppress(*FAILURES):
            found += self._read_notes()
            signature = self._stats()
            if signature != self._signature:
                found += self._changed_refs()
                found += self._changed_config()
                self._signature = signature
            if (self._look_at_files or self._suspects) and time.monotonic() >= self._next_files:
                found += self._look_at_changed_files(idle)
        return found

    def _look_at_changed_files(self, idle: bool) -> List[OutsideEvent]:
        self._look_at_files, began = False, time.monotonic()
        try:
            found = self._changed_files(settled=False)
        finally:
            self._next_files = time.monotonic() + SHARE * (time.monotonic() - began)
        if idle and not self._suspects and not self._noted:
            self._forget_named()
        return found

    def _forget_named(self) -> None:
        self._named.clear()
        self.files = {place: found for place, found in self.files.items() if place == self.main}

    def noted(self) -> List[OutsideEvent]:
        """Return what the tool calls since the last look have changed outside. Needs no git."""
        try:
            return self._read_notes()
        except FAILURES:
            return []

    def _read_notes(self) -> List[OutsideEvent]:
        """Return the files outside that tool calls of the run have changed, and note what commands name."""
        found: List[OutsideEvent] = []
        places = self._places() if self._noted else []
        while self._noted:
            event = self._noted.popleft()
            if event["kind"] == "file_change":
                found += self._written(event["path"], places)
            elif event["kind"] == "tool":
                for place in self._places_in(event.get("input") or {}, places):
                    self._named.setdefault(place, time.time())
            self._look_at_files = True
        return found

    # after the run

    def finish(self) -> List[OutsideEvent]:
        """Return what has changed since the last look, after all processes of the run have ended."""
        found: List[OutsideEvent] = []
        for changed in (self._changed_refs, self._changed_config, self._changed_files_at_the_end):
            with suppress(*FAILURES):
                found += changed()
        return found

    def _changed_files_at_the_end(self) -> List[OutsideEvent]:
        found = self._changed_files(settled=False)
        if self._suspects:
            time.sleep(SETTLE_SECONDS)
            found += self._changed_files(settled=True)
        return found

    # branches

    def _changed_refs(self) -> List[OutsideEvent]:
        """Return branches that were moved or deleted. New ones harm nothing."""
        now = self._read_refs()
        found: List[OutsideEvent] = [
            {"kind": "outside", "change": "branch", "name": name, "old": old, "new": now.get(name, "")}
            for name, old in self.refs.items()
            if now.get(name) != old
        ]
        self.refs = now
        return found

    def _read_refs(self) -> Dict[str, str]:
        """Return the local branches but the run's own. Tags and remote branches merge nothing by themselves,
        and users fetch them all the time.
        """
        listed = self._git(place_of(Path(self.own), self.spec)).run(
            "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"
        )
        pairs = (line.split(" ", 1) for line in listed.stdout.splitlines())
        own = f"refs/heads/{self.spec.get('branch')}"
        return {name: commit for commit, name in pairs if name != own}

    def _stats(self) -> object:
        """Return a value that changes with branches, configuration and hooks: git replaces their files."""
        common = Path(self.common)
        folders = [path for path, _, _ in islice(os.walk(str(common / "refs/heads")), MAX_FOLDERS)]
        names = [*folders, "packed-refs", "reftable", "config", "hooks"]
        return [(name, _signature(common / name)) for name in names]

    # configuration

    def _changed_config(self) -> List[OutsideEvent]:
        now = self._read_config()
        names = sorted(name for name, digest in now.items() if digest != self.config.get(name))
        self.config = now
        return [{"kind": "outside", "change": "config", "name": "", "paths": names}] if names else []

    def _read_config(self) -> Dict[str, str]:
        """Map what differs from the trusted configuration and hooks to digests."""
        found = place_of(Path(self.own), self.spec).trusted.changes()
        values: Dict[str, object] = {key: present for key, _, present in found.settings}
        hooks = {f"hook {hook.name}": hook.present for hook in found.hooks}
        digests = {name: hashlib.sha256(dumps(value)).hexdigest() for name, value in values.items()}
        digests.update({name: hashlib.sha256(data or b"").hexdigest() for name, data in hooks.items()})
        return digests

    # files

    def _changed_files(self, *, settled: bool) -> List[OutsideEvent]:
        """Return uncommitted changes in the main worktree, and in those that commands of the run named."""
        found: List[OutsideEvent] = []
        suspects: Set[str] = set()
        for place in {*self._named, *({self.main} & set(self.files))}:
            now = self._read_files(place)
            if now is None:  # git is at work there
                suspects.add(place)
                continue
            found += self._switched(place, now)
            paths = self._differing(place, now)
            if paths and not settled and place not in self._suspects:
                suspects.add(place)
                continue
            self.files[place] = now
            if paths:
                found.append(self._files_event(place, paths, by_run=place in self._named))
        self._suspects = suspects
        return found

    def _switched(self, place: str, now: Files) -> List[OutsideEvent]:
        """Report that another branch was checked out in the main worktree, once."""
        before = self.files.get(place)
        if place != self.main or not before or not before.branch or before.branch == now.branch:
            return []
        self.files[place] = before._replace(branch=now.branch)
        return [{"kind": "outside", "change": "head", "name": place, "old": before.branch, "new": now.branch}]

    def _differing(self, place: str, now: Files) -> List[str]:
        first_named = Files("", {}, int((self._named.get(place, 0.0) - MARGIN_SECONDS) * 1e9))
        before = self.files.get(place, first_named)
        changed = {path for path, known in now.files.items() if before.files.get(path) != known}
        if before.head == now.head:
            return sorted(changed | (set(before.files) - set(now.files)))
        # Another commit: what is gone was committed, and old files are only compared with something else.
        return sorted(path for path in changed if now.files[path] and now.files[path][0] >= before.at)

    def _read_files(self, place: str) -> Optional[Files]:
        """Return the uncommitted files of a worktree; None while git changes them, or if there is none."""
        folders, at = find(place), int((time.time() - MARGIN_SECONDS) * 1e9)
        if not folders or folders.top != place:
            return Files("", {}, at)
        if (Path(folders.git_dir) / "index.lock").exists():
            return None
        records = self._git(folders).run(*STATUS.split()).stdout.split("\0")
        commit, branch = (_header(records, name) for name in ("# branch.oid ", "# branch.head "))
        inner = [other + "/" for other in self._places() if other.startswith(place + "/")]
        files = {}
        for record in records:
            if record[:1] in FIELDS:
                path = record.split(" ", FIELDS[record[0]])[-1]
                full = str(Path(place) / path) + "/"
                if not any(other.startswith(full) or full.startswith(other) for other in inner):
                    files[path] = _signature(Path(full))
        _without_spotlight(folders.git_dir, files)
        return Files(commit, files, at, branch)

    def _written(self, path: str, places: List[str]) -> Iterator[OutsideEvent]:
        """Report a file that a tool of the run has changed in another worktree or in the git folder."""
        full = os.path.realpath(Path(self.own) / path)
        place = _innermost(full, places)
        if not place or place == self.own:
            return
        name = os.path.relpath(full, place)
        if place in self.files:
            self.files[place].files[name] = _signature(Path(full))
        yield self._files_event(place, [name], by_run=True)

    def _files_event(self, place: str, paths: List[str], *, by_run: bool) -> OutsideEvent:
        event: OutsideEvent = {"kind": "outside", "change": "files", "name": place, "by_run": by_run}
        return {**event, "paths": paths[:MAX_OUTSIDE_PATHS], "more": max(0, len(paths) - MAX_OUTSIDE_PATHS)}

    def _places_in(self, given: Json, places: List[str]) -> Iterator[str]:
        """Return the other worktrees that a shell command names, relative to the run's worktree or not."""
        command = given.get("command") or given.get("cmd")
        text = command if isinstance(command, str) else " ".join(map(str, command or []))
        for word in set(WORDS.split(text[:MAX_COMMAND])):
            if "/" in word or word == "..":
                path = Path.home() / word[2:] if word.startswith("~/") else Path(self.own) / word
                place = _innermost(os.path.normpath(path), places)
                if place and place != self.own:
                    yield place

    def _places(self) -> List[str]:
        """Return the repository's worktrees, with the run's own, as git has recorded them."""
        links = Path(self.common).glob("worktrees/*/gitdir")
        found = {str(Path(first_line(link)).parent) for link in islice(links, MAX_FOLDERS)}
        return sorted({*found, self.main, self.own} - {""})

    def _git(self, place: GitFolders) -> Git:
        return Git(place, self.spec, GIT_SECONDS)


def changes_after(folder: RunFolder, spec: RunSpec) -> List[OutsideEvent]:
    """Return what has changed outside of an ended run since it was last looked at."""
    outside = Outside(folder, spec)
    return outside.finish() if outside.load() else []


def _innermost(path: str, places: List[str]) -> str:
    """Return the worktree that contains a path; empty if none does."""
    return max((place for place in places if (path + "/").startswith(place + "/")), key=len, default="")


def _without_spotlight(git_dir: str, files: Dict[str, Signature]) -> None:
    """Take the files that Spotlight has replaced for what they were, because they will be that again."""
    for shown, original in originals(git_dir).items():
        for path in [path for path in files if path == shown or (path[-1] == "/" and shown.startswith(path))]:
            del files[path]
        if original:
            files[shown] = _signature(original)


def _header(records: List[str], name: str) -> str:
    """Return the value of a header line of `git status`; empty if there is none."""
    return next((record[len(name) :] for record in records if record.startswith(name)), "")


def _signature(path: Path) -> Signature:
    try:
        known = path.lstat()
    except OSError:
        return []
    return [known.st_mtime_ns, known.st_size, known.st_mode]
