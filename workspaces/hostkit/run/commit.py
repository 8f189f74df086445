"""Commits the uncommitted work of a run on the task's branch."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from .. import environment, processes
from ..git import command, unseen
from ..git.places import GitFolders, UnsafeGitFolder, find
from ..wire import DiffSize, RunSpec
from .left_out import left_out

GIT_SECONDS = 300.0
LOCK_SECONDS = 2.0
UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
PLACEHOLDERS = (".git", ".agents", ".codex", ".aws")
"""Codex creates these in each folder that may be written to, while a command runs, unless they exist. Those
of several runs would vanish from each other's sandboxes, which then fail. git ignores hidden names."""
FALLBACK = ("AI Task Manager", "aitask@localhost")


class Work(NamedTuple):
    """The result of a run on its branch. `commit` is the branch's head if it is ahead of the base."""

    commit: Optional[str] = None
    committed: bool = False
    diff: Optional[DiffSize] = None
    notices: List[str] = []
    left_out: List[str] = []
    "Work that is in no commit, as sentences."
    is_gone: bool = False
    "Whether the worktree no longer exists."


class CommitError(Exception):
    """A git command failed. The message is git's."""


def save_work(spec: RunSpec, since: float = 0.0) -> Work:
    """Commit uncommitted work if the spec says so, and return what the branch contains.

    `since` is the time when the run began; ignored files that are older are not its work.
    """
    worktree = Path(spec.get("worktree") or "/nonexistent")
    if not (worktree / ".git").exists():
        return Work(notices=[f"The worktree {worktree} no longer exists."], is_gone=True)
    notices: List[str] = []
    committed = False
    try:
        git = Git(place_of(worktree, spec), spec)
        if (spec.get("commit") or {}).get("enabled"):
            committed = _commit(git, spec, notices)
        return _inspect(git, spec, committed, notices)._replace(left_out=left_out(git, spec, since))
    except (CommitError, UnsafeGitFolder, OSError, subprocess.SubprocessError) as error:
        return Work(committed=committed, notices=[*notices, f"git: {error}"])


class Git:
    """Runs git in one worktree, without prompts, inherited GIT_ variables and programs of the repository."""

    def __init__(self, place: GitFolders, spec: RunSpec, seconds: float = GIT_SECONDS) -> None:
        self.seconds = seconds
        self.worktree = Path(place.top or place.git_dir)
        env = environment.of_spec(spec)
        self.env = {name: value for name, value in env.items() if not name.startswith("GIT_")}
        self.env.update(
            GIT_TERMINAL_PROMPT="0", LC_ALL="C", GIT_LITERAL_PATHSPECS="0", GIT_OPTIONAL_LOCKS="0"
        )
        self.env.update(command.environment(place))

    def run(
        self, *args: str, stdin: str = "", check: bool = True, variables: Optional[Dict[str, str]] = None
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["git", "-c", "commit.gpgSign=false", *args],
            cwd=str(self.worktree),
            env={**self.env, **(variables or {})},
            input=stdin,
            capture_output=True,
            timeout=self.seconds,
            encoding="utf-8",
            errors="surrogateescape",
        )
        if check and done.returncode:
            raise CommitError((done.stderr or done.stdout).strip()[-2000:])
        return done

    def output_of(self, args: List[str], variables: Dict[str, str], stdin: str) -> str:
        """Return the output of a git command in other circumstances; empty if it fails."""
        done = self.run(*args, stdin=stdin, check=False, variables=variables)
        return "" if done.returncode else done.stdout

    def submodules(self) -> List[str]:
        """Return the paths that the index has as commits of other repositories."""
        return command.submodules_in(self.output(*command.LIST_INDEX))

    def output(self, *args: str) -> str:
        """Return the output of a git command; empty if it fails."""
        done = self.run(*args, check=False)
        return "" if done.returncode else done.stdout.rstrip("\n")


def _commit(git: Git, spec: RunSpec, notices: List[str]) -> bool:
    reason = _reason_not_to_commit(git, spec)
    if reason:
        if git.output("status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=dirty"):
            notices.append(f"Uncommitted work was not committed: {reason}.")
        return False
    copied = [name for name in spec.get("copied") or [] if name]
    _release_lock(git)
    apart = [*_not_ignored(git, copied), *_links_of_folders(git)]
    submodules = git.submodules()  # `git add` would run git in them, with settings that agents can write
    excluded = (f":(top,exclude,literal){name}" for name in (*apart, *submodules))
    added = git.run("add", "-A", "--ignore-errors", "--", ":(top)", *excluded, check=False)
    if submodules:
        git.run("update-index", "--add", "--remove", "-z", "--stdin", stdin="\0".join(submodules) + "\0")
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


def _not_ignored(git: Git, names: List[str]) -> List[str]:
    """Return the files that git does not ignore: naming ignored ones to `git add` is an error."""
    args = ["check-ignore", "-z", "--stdin"]
    ignored = git.output_of(args, {}, "".join(f"{name}\0" for name in names)).split("\0") if names else []
    return [name for name in names if name not in ignored]


def _links_of_folders(git: Git) -> List[str]:
    """Return links that stand for ignored folders, such as one that the setup command makes."""
    listed = git.output_of(["ls-files", "--others", "--exclude-standard", "-z"], {}, "")
    return unseen.ignored_as_folders(git.worktree, listed.split("\0")[:-1], git.output_of)


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


def folders_for_commits(spec: RunSpec) -> List[str]:
    """Return the folders that a commit on the task's branch writes to, for the sandbox of a CLI.

    Not the whole git folder: its configuration and hooks name programs, and its refs are other people's work.
    The list has no refs if the branch is in the same folder as others; `save_work` commits then.
    """
    if not spec.get("repo_git_dir"):
        return []
    common, folder = Path(spec["repo_git_dir"]), Path(spec["branch"]).parent
    refs = [common / "refs/heads" / folder, common / "logs/refs/heads" / folder] if folder.name else []
    shared = (common / "objects", *refs)
    for path in shared:
        for name in PLACEHOLDERS:
            (path / name).mkdir(parents=True, exist_ok=True)
    return [str(path) for path in (*shared, Path(spec.get("git_dir") or "")) if path.name]


def place_of(worktree: Path, spec: RunSpec) -> GitFolders:
    """Return the worktree and its git folders, as the app recorded them. Raises UnsafeGitFolder."""
    if spec.get("git_dir"):
        return GitFolders(str(worktree), spec["git_dir"], spec["repo_git_dir"])
    found = find(str(worktree))  # a run of an earlier version
    if found is None:
        raise UnsafeGitFolder(f"{worktree} is not a git repository.")
    return found
