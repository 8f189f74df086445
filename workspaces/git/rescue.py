"""Rescue refs: they keep commits before something is removed or moved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from posixpath import join

from workspaces.git.commands import call_git, git
from workspaces.git.repos import refs
from workspaces.git.staging import stage_all
from workspaces.git.writing import Writer, update_refs
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError

SECONDS = 300.0
MAX_REFLOG = 500
RESCUE = "refs/aitask/rescue"


def rescue_name(owner: int | str, what: str = "") -> str:
    """Return `refs/aitask/rescue/<owner>/<time>[-<what>]`."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    tail = re.sub(r"[^A-Za-z0-9]+", "-", what).strip("-")
    return f"{RESCUE}/{owner}/{now}{'-' + tail if tail else ''}"


def keep(write: Writer, repo: str, owner: int | str, commit: str, what: str = "") -> str:
    """Create a rescue ref for a commit and return its name."""
    name = rescue_name(owner, what)
    update_refs(write, repo, {name: (commit, None)})
    return name


def snapshot(write: Writer, worktree: str, index: str, hidden: Sequence[str] = ()) -> str:
    """Return a new commit of everything in a worktree that git does not ignore.

    Index and files are not changed: `index` is the path of a temporary index file on the host. `hidden` are
    changed files that git is told to overlook.
    """
    spare = write.with_index(index)
    spare.git(worktree, "read-tree", "HEAD")
    stage_all(spare, worktree)
    if hidden:
        stdin = "".join(f"{path}\0" for path in hidden)
        spare.git(worktree, "update-index", "--add", "--remove", "-z", "--stdin", stdin=stdin)
    tree = spare.git(worktree, "write-tree").out.strip()
    args = ("commit-tree", "-p", "HEAD", "-m", "What was not committed when this worktree was removed", tree)
    return spare.git(worktree, *args).out.strip()


def keep_reflogs(write: Writer, repo: str, worktree: str, branch: str, owner: int | str) -> str:
    """Keep the commits that only the reflogs of a worktree and its branch name, such as amended ones.

    Return the name of a rescue ref, whose parents they are; empty if there are none.
    """
    logs = ("HEAD", *([f"refs/heads/{branch}"] if branch else []))
    named: dict[str, None] = {}
    for log in logs:
        walk = ("log", "--walk-reflogs", "--format=%H", f"--max-count={MAX_REFLOG}", log, "--")
        named |= dict.fromkeys(git(write.host, worktree, *walk, check=False).out.split())
    args = ("rev-list", "--stdin", "--not", "--branches", "--tags", "--remotes", f"--glob={RESCUE}")
    stdin = "".join(f"{commit}\n" for commit in named)
    lost = set(write.git(repo, *args, stdin=stdin, check=False).out.split()) if named else set()
    heads = [commit for commit in named if commit in lost]
    if not heads:
        return ""
    independent = git(write.host, repo, "merge-base", "--independent", *heads, check=False).out.split()
    parents = [word for commit in independent or heads for word in ("-p", commit)]
    tree = git(write.host, repo, "rev-parse", f"{heads[0]}^{{tree}}").out.strip()
    message = "Commits that only reflogs named"
    commit = write.git(repo, "commit-tree", *parents, "-m", message, tree).out.strip()
    return keep(write, repo, owner, commit, "reflog")


def save_patch(host: HostConnection, repo: str, base: str, commit: str, path: str) -> None:
    """Write the diff between two commits, including binary files, to a file on the host."""
    # Not `git diff`: with the user's diff.noprefix or textconv the patch could not be applied.
    args = ["diff-tree", "-p", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", base, commit]
    done = call_git(host, {"path": repo, "args": args, "stdout_path": path, "timeout": 300})
    if done.rc:
        raise HostError(f"The patch {path} could not be written: {done.err.strip()}", code="remote_failed")


def rescue_path(host: HostConnection, owner: int | str, ending: str) -> str:
    """Return a new path for a file with what is about to be removed."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return join(str(host.hello()["state_dir"]), "rescued", f"{owner}-{now}.{ending}")


@dataclass(frozen=True)
class IgnoredFiles:
    """The ignored files of a removed worktree: the archive on the host that has them, and what it lacks."""

    archive: str = ""
    "Its path; empty if there were none to keep."
    too_large: tuple[str, ...] = ()


def keep_ignored(host: HostConnection, worktree: str, original: str, path: str) -> IgnoredFiles:
    """Keep the ignored files of a worktree in an archive at `path`. Raises HostError.

    They do not become objects of the repository: git ignores secrets, and pushing all refs would publish
    them. Files that equal those in the checkout `original`, and what tools create again, are not kept.
    """
    params: wire.ArchiveParams = {"path": worktree, "original": original, "archive": path}
    found = host.call("keep_ignored", params, timeout=SECONDS)
    return IgnoredFiles(path if found["kept"] else "", tuple(found["too_large"]))


def restore_ignored(host: HostConnection, worktree: str, archive: str) -> None:
    """Put the files of an archive back into a worktree; files that exist there stay. Raises HostError."""
    params: wire.ArchiveParams = {"path": worktree, "original": "", "archive": archive}
    host.call("restore_ignored", params, timeout=SECONDS)


def rescued(host: HostConnection, repo: str, owner: int | str) -> dict[str, str]:
    """Return the rescue refs of an owner."""
    return refs(host, repo, f"{RESCUE}/{owner}/")
