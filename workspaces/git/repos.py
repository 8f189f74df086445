"""Read the state of a repository and its worktrees."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from posixpath import basename, dirname, join, normpath

from aitask.lib.shell import command_line
from workspaces.git.commands import GitError, expand, failure, find_with_git, git
from workspaces.git.submodules import NO_NESTED, submodules_of
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection

TASK_PREFIX = "aitask/"
"Prefix of the tasks' branches, which are never suggested as a base."
MAX_SUGGESTIONS = 8
MAX_OFFERED = 200
SECONDS = 120.0
_recorded: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
"What this process has recorded on each host."
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class RepositoryPaths:
    """The absolute paths of a repository on its host."""

    path: str
    "Its top folder; for a bare repository, its git folder."
    git_dir: str
    common_dir: str
    "Shared by all worktrees of the repository."
    bare: bool


@dataclass(frozen=True)
class Repo(RepositoryPaths):
    """A repository and its HEAD."""

    branch: str
    "The branch that is checked out; empty if HEAD is detached."
    detached: bool
    unborn: bool
    "Whether HEAD names a branch without a commit."
    has_submodules: bool


@dataclass(frozen=True)
class DiffStat:
    """The size of the changes in a worktree since a commit."""

    files: int
    additions: int
    deletions: int
    untracked: int


@dataclass(frozen=True)
class Status:
    """Branch, HEAD and uncommitted files of a worktree."""

    branch: str
    head: str
    changed: int
    untracked: int
    conflicts: int
    hidden: tuple[str, ...] = ()
    "Changed files that git is told to overlook; they count as changed."

    @property
    def uncommitted(self) -> int:
        """The number of files that are changed, untracked or in conflict."""
        return self.changed + self.untracked + self.conflicts

    @property
    def clean(self) -> bool:
        return not self.uncommitted


def locate(host: HostConnection, path: str) -> RepositoryPaths:
    """Return the paths of the repository at `path`. Raises GitError if git can't read one there."""
    path = expand(host, path)
    options = ("--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--show-toplevel")
    done = find_with_git(host, path, "rev-parse", *options)
    lines = done.out.split("\n")[:-1]
    if len(lines) < 3:
        raise failure(path, "rev-parse", done)
    # A bare repository or a .git folder has no top folder: rev-parse then fails after three lines.
    place = RepositoryPaths(
        path=lines[3] if len(lines) > 3 else lines[1],
        git_dir=lines[1],
        common_dir=normpath(join(path, lines[2])),
        bare=lines[0] == "true",
    )
    record_place(host, place.path, place.git_dir, place.common_dir)
    return place


def is_bare_by_mistake(host: HostConnection, place: RepositoryPaths) -> bool:
    """Return whether a repository with a worktree of its own says that it has none.

    `git init` does that if GIT_DIR names it. All commands that need a worktree fail then, a person's too.
    """
    is_hidden = place.bare and basename(place.git_dir) == ".git"
    return is_hidden and host.exists(join(place.git_dir, "index"))


def bare_by_mistake(place: RepositoryPaths) -> GitError:
    """Return the error that says so."""
    command = command_line("git", "--git-dir", place.git_dir, "config", "core.bare", "false")
    return GitError(
        f"git takes {dirname(place.git_dir)} for a repository without files: its core.bare is true.",
        f"Run on that host: {command}",
        code="bare_by_mistake",
        command=command,
    )


def record_place(
    host: HostConnection, path: str, git_dir: str, common_dir: str, *, is_new: bool = False
) -> None:
    """Let the host remember a worktree's git folders. Its repository is trusted as it is now, if it is new.

    Only for paths that a person has named, and for worktrees that the app has just created.
    """
    place = (path, git_dir, common_dir)
    if is_new or place not in _recorded[host.key]:
        host.call("git_record", {"path": path, "git_dir": git_dir, "common_dir": common_dir})
        _recorded[host.key].add(place)


def git_dir_of(host: HostConnection, path: str, common_dir: str) -> str | None:
    """Return the git folder of a repository's worktree at `path`; None if it has none there."""
    place = host.call("git_place", {"path": path})
    return place["git_dir"] if place["top"] == path and place["common_dir"] == common_dir else None


def inspect_repo(host: HostConnection, path: str) -> Repo:
    """Return the state of the repository at `path`. Raises GitError like `locate`."""
    place = locate(host, path)
    head = git(host, place.path, "symbolic-ref", "--quiet", "HEAD", check=False).out.strip()
    unborn = git(host, place.path, "rev-parse", "--quiet", "--verify", "HEAD^{commit}", check=False).rc != 0
    return Repo(
        **vars(place),
        branch=head.removeprefix("refs/heads/"),
        detached=not head,
        unborn=unborn,
        has_submodules=host.exists(join(place.path, ".gitmodules")),
    )


def refs(host: HostConnection, repo: str, *patterns: str) -> dict[str, str]:
    """Map the full names of matching refs to their objects."""
    done = git(host, repo, "for-each-ref", "--format=%(objectname) %(refname)", *patterns)
    pairs = (line.split(" ", 1) for line in done.out.split("\n") if line)
    return {name: commit for commit, name in pairs}


def branch_tip(host: HostConnection, repo: str, branch: str) -> str:
    """Return the commit of a local branch; empty if it does not exist."""
    ref = f"refs/heads/{branch}"
    return refs(host, repo, ref).get(ref, "") if branch else ""


def contains(host: HostConnection, repo: str, tip: str, commit: str) -> bool:
    """Return whether the history of `tip` contains a commit; False if one of them does not exist."""
    return git(host, repo, "merge-base", "--is-ancestor", commit, tip, check=False).rc == 0


def commits_between(host: HostConnection, repo: str, old: str, new: str) -> list[str]:
    """Return the first-parent commits of `old..new`, oldest first."""
    args = ("rev-list", "--reverse", "--first-parent", f"{old}..{new}", "--")
    return git(host, repo, *args).out.split()


def base_names(base: str) -> tuple[str, str]:
    """Return the refs that a base branch may name, the preferred one first."""
    return f"refs/heads/{base}", f"refs/remotes/origin/{base}"


def base_commit(host: HostConnection, repo: str, base: str, known: Mapping[str, str] | None = None) -> str:
    """Return the commit that new work starts from: a local branch, else origin's, else a tag or commit.

    `known` are refs that were read before, to save a call. Raises GitError.
    """
    found = refs(host, repo, *base_names(base)) if known is None else known
    for name in base_names(base):
        if name in found:
            return found[name]
    args = ("rev-parse", "--quiet", "--verify", "--end-of-options", f"{base}^{{commit}}")
    lines = git(host, repo, *args, check=False).out.strip().splitlines()
    if lines and COMMIT.fullmatch(lines[-1]):
        return lines[-1]
    raise _no_base(host, repo, base)


def branches_offered(host: HostConnection, repo: str) -> list[str]:
    """Return the branches that work may start from, the newest first: local ones, and those of origin.

    Those of tasks are left out.
    """
    options = ("--sort=-committerdate", f"--count={MAX_OFFERED}", "--format=%(refname)")
    found = git(host, repo, "for-each-ref", *options, "refs/heads", "refs/remotes/origin").out.split("\n")
    names = [re.sub(r"^refs/(heads|remotes/origin)/", "", ref) for ref in found if ref]
    kept = (name for name in names if name != "HEAD" and not name.startswith(TASK_PREFIX))
    return list(dict.fromkeys(kept))


def _no_base(host: HostConnection, repo: str, base: str) -> GitError:
    names = [name.removeprefix("refs/heads/") for name in refs(host, repo, "refs/heads")]
    branches = [name for name in names if not name.startswith(TASK_PREFIX)]
    near = get_close_matches(base, branches, 3)
    if not branches and not git(host, repo, "rev-list", "--all", "--max-count=1").out.strip():
        return no_commits(repo)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif branches:
        hint = f"Branches: {', '.join(branches[:MAX_SUGGESTIONS])}."
    else:
        hint = "The repository has no branches; enter a commit."
    return GitError(f"The base branch {base} does not exist.", hint, code="no_base")


def no_commits(repo: str) -> GitError:
    """Return the error of a repository that tasks have nothing to start from."""
    return GitError(
        f"{repo} has no commits yet, so tasks have nothing to start from.",
        "Create a first commit there: git commit --allow-empty -m 'First commit'",
        code="unborn",
        command=command_line("git", "-C", repo, "commit", "--allow-empty", "-m", "First commit"),
    )


def diff_stat(host: HostConnection, worktree: str, base: str) -> DiffStat:
    """Count the changes of a worktree since a commit, committed or not, and its untracked files."""
    args = ("diff", "--numstat", "-z", "--no-renames", NO_NESTED, "--no-ext-diff", "--no-textconv")
    done = git(host, worktree, *args, "--end-of-options", base, "--")
    rows = [row.split("\t") for row in done.out.split("\0") if row.count("\t") >= 2]
    others = git(host, worktree, "ls-files", "--others", "--exclude-standard", "-z").out
    return DiffStat(
        files=len(rows),
        additions=sum(int(row[0]) for row in rows if row[0] != "-"),
        deletions=sum(int(row[1]) for row in rows if row[1] != "-"),
        untracked=others.count("\0"),
    )


def status(host: HostConnection, worktree: str) -> Status:
    """Return branch, HEAD and uncommitted files of a worktree; a submodule with changes counts as a file.

    Files count, too, that git is told to overlook. Links in place of ignored folders do not.
    """
    args = ("status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=normal")
    done = git(host, worktree, *args, NO_NESTED)
    records = done.out.split("\0")
    headers = _branch_headers(records)
    kinds = [record[:1] for record in records]
    untracked = [record[2:] for record in records if record.startswith("? ") and not record.endswith("/")]
    params: wire.UnseenParams = {"path": worktree, "untracked": untracked, "ignored": False}
    unseen = host.call("unseen", params, timeout=SECONDS)
    head = headers.get("branch.head", "")
    return Status(
        branch="" if head == "(detached)" else head,
        head="" if headers.get("branch.oid") == "(initial)" else headers.get("branch.oid", ""),
        changed=kinds.count("1")
        + kinds.count("2")
        + len(unseen["hidden"])
        + _changed_submodules(host, worktree),
        untracked=kinds.count("?") - len(unseen["links"]),
        conflicts=kinds.count("u"),
        hidden=tuple(unseen["hidden"]),
    )


def _changed_submodules(host: HostConnection, worktree: str) -> int:
    """Return the number of submodules with uncommitted changes."""
    if not host.exists(join(worktree, ".gitmodules")):
        return 0
    folders = [join(worktree, path) for path in submodules_of(host, worktree)]
    checked_out = [folder for folder in folders if host.exists(join(folder, ".git"))]
    return sum(not status(host, folder).clean for folder in checked_out)


def _branch_headers(records: list[str]) -> Mapping[str, str]:
    pairs = (record[2:].split(" ", 1) for record in records if record.startswith("# "))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
