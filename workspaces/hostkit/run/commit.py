"""Commits the uncommitted work of a run on the task's branch."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import List, NamedTuple, Optional

from .. import environment, processes
from ..wire import DiffSize, RunSpec

GIT_SECONDS = 300.0
LOCK_SECONDS = 2.0
UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
FALLBACK = ("AI Task Manager", "aitask@localhost")


class Work(NamedTuple):
    """The result of a run on its branch. `commit` is the branch's head if it is ahead of the base."""

    commit: Optional[str] = None
    committed: bool = False
    diff: Optional[DiffSize] = None
    notices: List[str] = []


class CommitError(Exception):
    """A git command failed. The message is git's."""


def save_work(spec: RunSpec) -> Work:
    """Commit uncommitted work if the spec says so, and return what the branch contains."""
    worktree = Path(spec.get("worktree") or "/nonexistent")
    if not (worktree / ".git").exists():
        return Work()
    git = Git(worktree, spec)
    notices: List[str] = []
    committed = False
    try:
        if (spec.get("commit") or {}).get("enabled"):
            committed = _commit(git, spec, notices)
        return _inspect(git, spec, committed, notices)
    except (CommitError, OSError, subprocess.TimeoutExpired) as error:
        return Work(committed=committed, notices=[*notices, f"git: {error}"])


class Git:
    """Runs git in one worktree, without hooks, prompts and inherited GIT_ variables."""

    def __init__(self, worktree: Path, spec: RunSpec) -> None:
        self.worktree = worktree
        env = environment.variables(spec.get("environment") or {}, spec.get("path"))
        self.env = {name: value for name, value in env.items() if not name.startswith("GIT_")}
        self.env.update(GIT_TERMINAL_PROMPT="0", LC_ALL="C", GIT_LITERAL_PATHSPECS="0")

    def run(self, *args: str, stdin: str = "", check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", *args],
            cwd=str(self.worktree),
            env=self.env,
            input=stdin,
            capture_output=True,
            timeout=GIT_SECONDS,
            encoding="utf-8",
            errors="surrogateescape",
        )
        if check and done.returncode:
            raise CommitError((done.stderr or done.stdout).strip()[-2000:])
        return done

    def output(self, *args: str) -> str:
        """Return the output of a git command; empty if it fails."""
        done = self.run(*args, check=False)
        return "" if done.returncode else done.stdout.rstrip("\n")


def _commit(git: Git, spec: RunSpec, notices: List[str]) -> bool:
    reason = _reason_not_to_commit(git, spec)
    if reason:
        if git.output("status", "--porcelain", "--untracked-files=normal"):
            notices.append(f"Uncommitted work was not committed: {reason}.")
        return False
    copied = [name for name in spec.get("copied") or [] if name]
    _release_lock(git)
    command = ("add", "-A", "--ignore-errors", "--", ":(top)")
    added = git.run(*command, *(f":(top,exclude,literal){name}" for name in copied), check=False)
    errors = added.stderr.strip()[-2000:]
    if added.returncode > 1:
        raise CommitError(errors)
    if added.returncode:  # for example, the worktree contains a repository without commits
        notices.append(f"git could not add all files: {errors}")
    if copied:  # the agent may have staged them
        git.run("reset", "-q", "--", *(f":(top,literal){name}" for name in copied), check=False)
    if git.run("diff", "--cached", "--quiet", check=False).returncode == 0:
        return False
    message = (spec["commit"].get("message") or "").strip() or spec.get("title") or "Work of an agent"
    git.run(*_identity(git, spec), "commit", "-q", "--no-verify", "--no-gpg-sign", "-F", "-", stdin=message)
    return True


def _reason_not_to_commit(git: Git, spec: RunSpec) -> str:
    """Return why nothing may be committed here, or an empty string."""
    head = git.output("symbolic-ref", "-q", "HEAD")
    if head != f"refs/heads/{spec.get('branch')}":
        return "another branch is checked out" if head else "no branch is checked out"
    for name in UNFINISHED:
        path = git.output("rev-parse", "--git-path", name)
        if path and (git.worktree / path).exists():
            return "a merge or rebase is unfinished"
    if git.output("ls-files", "--unmerged"):
        return "there are unresolved conflicts"
    return ""


def _identity(git: Git, spec: RunSpec) -> List[str]:
    """Return options for the author: from the workspace, else from the host's git config, else ours."""
    wanted = spec["commit"]
    name, email = wanted.get("name") or "", wanted.get("email") or ""
    name = name or git.output("config", "user.name") or FALLBACK[0]
    email = email or git.output("config", "user.email") or FALLBACK[1]
    return ["-c", f"user.name={name}", "-c", f"user.email={email}"]


def _release_lock(git: Git) -> None:
    """Remove the index lock of a killed git. All processes of the run have ended by now."""
    path = git.worktree / git.output("rev-parse", "--git-path", "index.lock")
    deadline = time.monotonic() + LOCK_SECONDS
    while path.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    if path.is_file() and not processes.is_open(path):
        path.unlink()


def _inspect(git: Git, spec: RunSpec, committed: bool, notices: List[str]) -> Work:
    head = git.output("rev-parse", "--verify", "-q", "HEAD")
    base = git.output("merge-base", str(spec.get("base_commit") or "HEAD"), "HEAD")
    if not head or not base:
        return Work(commit=head or None, committed=committed, notices=notices)
    return Work(head if head != base else None, committed, _diff(git, base), notices)


def _diff(git: Git, base: str) -> DiffSize:
    """Return the numbers of files and lines that the branch changes."""
    fields = git.output("diff", "--numstat", "-z", "--no-renames", base, "HEAD").split("\0")
    rows = [row.split("\t", 2) for row in fields if row.count("\t") >= 2]
    return {
        "files": len(rows),
        "additions": sum(int(row[0]) for row in rows if row[0].isdigit()),
        "deletions": sum(int(row[1]) for row in rows if row[1].isdigit()),
    }


def own_git_folder(worktree: str) -> str:
    """Return the worktree's own git folder, which its `.git` file names; empty if there is none."""
    try:
        text = (Path(worktree) / ".git").read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
    path = text.partition("gitdir:")[2].strip()
    return os.path.normpath(Path(worktree) / path) if path else ""
