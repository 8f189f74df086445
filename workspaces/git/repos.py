"""What a repository and its worktrees are like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import join, normpath

from workspaces.git.commands import GitError, expand, failure, git
from workspaces.hosts import HostConnection

OF_TASKS = "aitask/"
"Begins the branches that no person would start from."
MAX_NAMED = 8
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class RepositoryPaths:
    """Where a repository lies on its host; paths are absolute."""

    path: str
    "Its top folder; for a bare one its git folder."
    git_dir: str
    common_dir: str
    "Shared by all worktrees of the repository."
    bare: bool


@dataclass(frozen=True)
class Repo(RepositoryPaths):
    """A repository and what is checked out in it."""

    branch: str
    "The branch that is checked out; empty when HEAD is detached."
    detached: bool
    unborn: bool
    "HEAD names a branch that has no commit yet."
    has_submodules: bool


@dataclass(frozen=True)
class DiffStat:
    """How much a worktree differs from a commit, committed or not."""

    files: int
    additions: int
    deletions: int
    untracked: int


@dataclass(frozen=True)
class Status:
    """What a worktree holds that is not committed."""

    branch: str
    head: str
    changed: int
    untracked: int
    conflicts: int

    @property
    def uncommitted(self) -> int:
        """How many files are changed, new or in conflict."""
        return self.changed + self.untracked + self.conflicts

    @property
    def clean(self) -> bool:
        return not self.uncommitted


def locate(host: HostConnection, path: str) -> RepositoryPaths:
    """Where the repository at the path is. Raises GitError when it is none that git is willing to read."""
    path = expand(host, path)
    asked = ("--is-bare-repository", "--absolute-git-dir", "--git-common-dir", "--show-toplevel")
    done = git(host, path, "rev-parse", *asked, check=False)
    lines = done.out.split("\n")[:-1]
    if len(lines) < 3:
        raise failure(path, "rev-parse", done)
    # Inside a bare repository or a .git folder there is no top folder, which rev-parse reports as failure.
    return RepositoryPaths(
        path=lines[3] if len(lines) > 3 else lines[1],
        git_dir=lines[1],
        common_dir=normpath(join(path, lines[2])),
        bare=lines[0] == "true",
    )


def inspect_repo(host: HostConnection, path: str) -> Repo:
    """What the repository at the path is like. Raises GitError as `locate` does."""
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
    """Full name → object of the refs that match."""
    done = git(host, repo, "for-each-ref", "--format=%(objectname) %(refname)", *patterns)
    pairs = (line.split(" ", 1) for line in done.out.split("\n") if line)
    return {name: commit for commit, name in pairs}


def branch_tip(host: HostConnection, repo: str, branch: str) -> str:
    """The commit of a local branch; empty when there is none."""
    ref = f"refs/heads/{branch}"
    return refs(host, repo, ref).get(ref, "") if branch else ""


def contains(host: HostConnection, repo: str, tip: str, commit: str) -> bool:
    """Whether the history of `tip` contains a commit; False when git does not know one of them."""
    return git(host, repo, "merge-base", "--is-ancestor", commit, tip, check=False).rc == 0


def commits_between(host: HostConnection, repo: str, old: str, new: str) -> list[str]:
    """The commits that lead from one to the other along first parents, oldest first."""
    words = ("rev-list", "--reverse", "--first-parent", f"{old}..{new}", "--")
    return git(host, repo, *words).out.split()


def base_names(base: str) -> tuple[str, str]:
    """The refs that a base branch may be, the better one first."""
    return f"refs/heads/{base}", f"refs/remotes/origin/{base}"


def base_commit(host: HostConnection, repo: str, base: str, known: Mapping[str, str] | None = None) -> str:
    """The commit that new work starts from: a local branch, else origin's, else a tag or commit of this name.

    `known` saves a call when the refs were read before. Raises GitError.
    """
    found = refs(host, repo, *base_names(base)) if known is None else known
    for name in base_names(base):
        if name in found:
            return found[name]
    words = ("rev-parse", "--quiet", "--verify", "--end-of-options", f"{base}^{{commit}}")
    said = git(host, repo, *words, check=False).out.strip().splitlines()
    if said and COMMIT.fullmatch(said[-1]):
        return said[-1]
    raise _no_base(host, repo, base)


def _no_base(host: HostConnection, repo: str, base: str) -> GitError:
    names = [name.removeprefix("refs/heads/") for name in refs(host, repo, "refs/heads")]
    branches = [name for name in names if not name.startswith(OF_TASKS)][:MAX_NAMED]
    if not branches and not git(host, repo, "rev-list", "--all", "--max-count=1").out.strip():
        return GitError(
            f"{repo} has no commit yet, so there is nothing to start from.",
            "Make a first commit there: git commit --allow-empty -m 'First commit'",
            code="unborn",
        )
    hint = f"Its branches: {', '.join(branches)}." if branches else "It has no branches; give a commit."
    return GitError(f"The base branch {base} does not exist.", hint, code="no_base")


def diff_stat(host: HostConnection, worktree: str, base: str) -> DiffStat:
    """What a worktree has beyond a commit: committed, staged and plain changes, and untracked files."""
    done = git(host, worktree, "diff", "--numstat", "-z", "--no-renames", "--end-of-options", base, "--")
    rows = [row.split("\t") for row in done.out.split("\0") if row.count("\t") >= 2]
    others = git(host, worktree, "ls-files", "--others", "--exclude-standard", "-z").out
    return DiffStat(
        files=len(rows),
        additions=sum(int(row[0]) for row in rows if row[0] != "-"),
        deletions=sum(int(row[1]) for row in rows if row[1] != "-"),
        untracked=others.count("\0"),
    )


def status(host: HostConnection, worktree: str) -> Status:
    """What is not committed in a worktree."""
    words = ("status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=normal")
    done = git(host, worktree, *words)
    records = done.out.split("\0")
    about = _branch_facts(records)
    kinds = [record[:1] for record in records]
    head = about.get("branch.head", "")
    return Status(
        branch="" if head == "(detached)" else head,
        head="" if about.get("branch.oid") == "(initial)" else about.get("branch.oid", ""),
        changed=kinds.count("1") + kinds.count("2"),
        untracked=kinds.count("?"),
        conflicts=kinds.count("u"),
    )


def _branch_facts(records: list[str]) -> Mapping[str, str]:
    pairs = (record[2:].split(" ", 1) for record in records if record.startswith("# "))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
