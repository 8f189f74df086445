"""Rescue refs: whatever is about to be removed or moved stays reachable under refs/aitask/."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from posixpath import join

from workspaces.git.repos import refs
from workspaces.git.writing import Writer, update_refs
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection, HostError

RESCUE = "refs/aitask/rescue"


def rescue_name(owner: int | str, what: str = "") -> str:
    """`refs/aitask/rescue/<owner>/<time>[-<what>]`."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    tail = re.sub(r"[^A-Za-z0-9]+", "-", what).strip("-")
    return f"{RESCUE}/{owner}/{now}{'-' + tail if tail else ''}"


def keep(write: Writer, repo: str, owner: int | str, commit: str, what: str = "") -> str:
    """Make a rescue ref for a commit; its name."""
    name = rescue_name(owner, what)
    update_refs(write, repo, {name: (commit, None)})
    return name


def snapshot(write: Writer, worktree: str, index: str) -> str:
    """A commit of all that a worktree holds and git does not ignore; its index and files stay as they are.

    `index` is the path of a spare index file on the host.
    """
    spare = Writer(write.host, {**write.environment, "GIT_INDEX_FILE": index})
    spare.git(worktree, "read-tree", "HEAD")
    spare.git(worktree, "add", "--all", "--", ".")
    tree = spare.git(worktree, "write-tree").out.strip()
    words = ("commit-tree", "-p", "HEAD", "-m", "What was not committed when this worktree was removed", tree)
    return spare.git(worktree, *words).out.strip()


def save_patch(host: HostConnection, repo: str, base: str, commit: str, path: str) -> None:
    """Write the whole difference between two commits to a file of the host, binary files too."""
    # Not `git diff`: the person's diff.noprefix or textconv would make it a patch that can't be applied.
    words = ["diff-tree", "-p", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", base, commit]
    params: wire.ExecParams = {"argv": ["git", "-C", repo, *words], "stdout_path": path, "timeout": 300}
    done = host.call("exec", params, timeout=310)
    if done["rc"]:
        raise HostError(f"The patch {path} could not be written: {done['err'].strip()}", code="remote_failed")


def patch_path(host: HostConnection, owner: int | str) -> str:
    """Where the patch of something removed is kept on its host."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return join(str(host.hello()["state_dir"]), "rescued", f"{owner}-{now}.patch")


def rescued(host: HostConnection, repo: str, owner: int | str) -> dict[str, str]:
    """The rescue refs of an owner."""
    return refs(host, repo, f"{RESCUE}/{owner}/")
