"""Rescue refs: they keep commits before something is removed or moved."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from posixpath import join

from workspaces.git.commands import call_git
from workspaces.git.repos import refs
from workspaces.git.staging import stage_all
from workspaces.git.writing import Writer, update_refs
from workspaces.hosts import HostConnection, HostError

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


def snapshot(write: Writer, worktree: str, index: str) -> str:
    """Return a new commit of everything in a worktree that git does not ignore.

    Index and files are not changed: `index` is the path of a temporary index file on the host.
    """
    spare = write.with_index(index)
    spare.git(worktree, "read-tree", "HEAD")
    stage_all(spare, worktree)
    tree = spare.git(worktree, "write-tree").out.strip()
    args = ("commit-tree", "-p", "HEAD", "-m", "What was not committed when this worktree was removed", tree)
    return spare.git(worktree, *args).out.strip()


def save_patch(host: HostConnection, repo: str, base: str, commit: str, path: str) -> None:
    """Write the diff between two commits, including binary files, to a file on the host."""
    # Not `git diff`: with the user's diff.noprefix or textconv the patch could not be applied.
    args = ["diff-tree", "-p", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", base, commit]
    done = call_git(host, {"path": repo, "args": args, "stdout_path": path, "timeout": 300})
    if done.rc:
        raise HostError(f"The patch {path} could not be written: {done.err.strip()}", code="remote_failed")


def patch_path(host: HostConnection, owner: int | str) -> str:
    """Return a new path for the patch of something that is about to be removed."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return join(str(host.hello()["state_dir"]), "rescued", f"{owner}-{now}.patch")


def rescued(host: HostConnection, repo: str, owner: int | str) -> dict[str, str]:
    """Return the rescue refs of an owner."""
    return refs(host, repo, f"{RESCUE}/{owner}/")
