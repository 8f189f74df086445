"""git in the checkout that Spotlight works in, and why it may not be used now."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Set

from .. import environment
from ..git import command
from ..git.places import GitFolders
from ..git.settings import read_settings

SECONDS = 300.0
LOCK_SECONDS = 10.0
UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "sequencer": "a cherry-pick or revert",
    "BISECT_LOG": "a bisect",
}
OWN_WORKTREES = ("aitask.json", "aitask-bench.json")
"""Files in the git folders of tasks' worktrees and of merge worktrees."""
STATUS = [
    "status",
    "--porcelain=v2",
    "-z",
    "--no-renames",
    "--untracked-files=all",
    "--ignore-submodules=all",
]
FIELDS = {"1": 8, "u": 10, "?": 1}


class CanNot(Exception):
    """Spotlight can't do it now; nothing was changed. `paths` are the files that are the reason."""

    def __init__(self, reason: str, hint: str = "", paths: Optional[List[str]] = None) -> None:
        super().__init__(reason)
        self.reason, self.hint, self.paths = reason, hint, paths or []


class ChangedPaths(NamedTuple):
    """What `git status` says: paths of changed and of untracked files."""

    tracked: Set[str]
    untracked: Set[str]


class Checkout:
    """A worktree with its git folders. Its git runs nothing that an agent could have named."""

    def __init__(self, place: GitFolders) -> None:
        self.place = place
        self.top, self.git_dir = place.top, place.git_dir
        own = environment.own_variables({})
        self._env = {name: value for name, value in own.items() if not name.startswith("GIT_")}
        self._env.update(GIT_TERMINAL_PROMPT="0", LC_ALL="C.UTF-8", LANGUAGE="", GIT_OPTIONAL_LOCKS="0")
        self._env.update(command.environment(place))

    def git(
        self, *args: str, stdin: str = "", env: Optional[Dict[str, str]] = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run git. With `check`, raise CanNot if it fails."""
        done = subprocess.run(
            ["git", "-c", "commit.gpgSign=false", *args],
            cwd=self.top,
            env={**self._env, **(env or {})},
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
            encoding="utf-8",
            errors="surrogateescape",
        )
        if check and done.returncode:
            raise CanNot(f"git {args[0]} failed: {(done.stderr or done.stdout).strip()[-600:]}")
        return done

    def head(self) -> str:
        """Return the commit that is checked out; empty if there is none."""
        return self.git("rev-parse", "--quiet", "--verify", "HEAD^{commit}", check=False).stdout.strip()

    def head_ref(self) -> str:
        return self.git("symbolic-ref", "--quiet", "HEAD", check=False).stdout.strip()

    def tracked(self) -> Set[str]:
        return set(self.git("ls-files", "--cached", "-z").stdout.split("\0")[:-1])

    def changed(self) -> ChangedPaths:
        """Return what differs from HEAD. Raises CanNot if there are conflicts."""
        records = self.git(*STATUS).stdout.split("\0")
        found = {kind: [r.split(" ", n)[-1] for r in records if r[:1] == kind] for kind, n in FIELDS.items()}
        if found["u"]:
            raise CanNot(
                f"There are unresolved conflicts in {self.top}.", "Resolve them first.", sorted(found["u"])
            )
        return ChangedPaths(set(found["1"]), set(found["?"]))

    def require_quiet(self) -> None:
        """Raise CanNot if git is at work here, or something is unfinished."""
        folder = Path(self.git_dir)
        for name, what in UNFINISHED.items():
            if (folder / name).exists():
                raise CanNot(
                    f"{what.capitalize()} is in progress in {self.top}.", "Finish or abort it first."
                )
        lock = folder / "index.lock"
        deadline = time.monotonic() + LOCK_SECONDS
        while lock.exists():
            if time.monotonic() > deadline:
                hint = f"Wait until it has ended. If it has crashed, remove {lock}."
                raise CanNot(f"Another git process is at work in {self.top}.", hint)
            time.sleep(0.05)

    def require_usable(self) -> None:
        """Raise CanNot if this checkout is not one to show something in."""
        self.require_quiet()
        if any((Path(self.git_dir) / name).exists() for name in OWN_WORKTREES):
            raise CanNot(f"{self.top} is a worktree of the app.", "Spotlight needs a checkout of your own.")
        if self._is_sparse():
            raise CanNot(
                f"{self.top} has only a part of the files.", "Run there: git sparse-checkout disable"
            )
        if os.lstat(self.top).st_dev != os.lstat(self.git_dir).st_dev:
            raise CanNot(f"{self.top} and its git folder are on different file systems.")

    def _is_sparse(self) -> bool:
        names = (Path(self.place.common_dir) / "config", Path(self.git_dir) / "config.worktree")
        settings = [each for name in names if name.is_file() for each in read_settings(name, includes=False)]
        return any(key == "core.sparsecheckout" and value != "false" for key, value in settings)
