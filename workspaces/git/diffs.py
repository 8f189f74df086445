"""Differences between two states of a repository. Any file name is safe."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from posixpath import join

from aitask.lib.errors import Refused
from workspaces.git.commands import call_git, git
from workspaces.git.repos import COMMIT, base_names, contains
from workspaces.git.staging import announce_untracked, forget_special_files
from workspaces.git.submodules import NO_NESTED
from workspaces.git.writing import Writer
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection

MAX_LIST_BYTES = 32 * 1024 * 1024
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_COMMITS = 500
SECONDS = 120.0
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"The empty tree, which git knows in every repository."
RENAMES = ("--find-renames", "-l1000")
"With git's own limit, whatever the user's `diff.renameLimit` is."
PLAIN = (
    *("--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short", NO_NESTED),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
"Options that override the user's own configuration of diffs."


@dataclass(frozen=True)
class Range:
    """The states to compare. An empty `new` is the worktree at `folder`, with its uncommitted changes."""

    folder: str
    old: str
    new: str = ""
    index: str = ""
    "A temporary index for the worktree, so that its own is not changed."

    @property
    def revisions(self) -> tuple[str, ...]:
        return (self.old, self.new) if self.new else (self.old,)

    @property
    def environment(self) -> dict[str, str]:
        return {"GIT_INDEX_FILE": self.index} if self.index else {}


@dataclass(frozen=True)
class FileChange:
    """One changed file. Additions and deletions are None for binary files."""

    path: str
    old_path: str
    status: str
    "git's status letter: A, M, D, R, C or T."
    additions: int | None
    deletions: int | None
    old_object: str
    new_object: str
    old_mode: str
    new_mode: str

    @property
    def key(self) -> str:
        return key_of(self.path)

    @property
    def version(self) -> str:
        """A value that changes whenever the file's diff changes."""
        known = self.new_object.strip("0") or f"{self.additions}.{self.deletions}"
        return f"{self.old_object[:20]}:{known[:20]}"


@dataclass(frozen=True)
class Commit:
    sha: str
    subject: str
    author: str
    at: datetime
    parents: int


def key_of(path: str) -> str:
    """Encode a path of any bytes as text for URLs and rows."""
    return base64.urlsafe_b64encode(os.fsencode(path)).decode().rstrip("=")


def path_of(key: str) -> str:
    """Decode a path. Raises Refused if the key is invalid."""
    try:
        raw = base64.urlsafe_b64decode(key.encode("ascii") + b"=" * (-len(key) % 4))
    except (ValueError, binascii.Error):
        raise Refused("There is no such file.") from None
    path = raw.decode("utf-8", "surrogateescape")
    if not path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
        raise Refused("There is no such file.")
    return path


def _run(host: HostConnection, rng: Range, args: Sequence[str], max_bytes: int) -> tuple[str, bool]:
    """Return the output of a diff, and whether it was truncated."""
    params: wire.GitParams = {
        "path": rng.folder,
        "args": ["--literal-pathspecs", *args],
        "env": rng.environment,
        "timeout": SECONDS,
        "max_output": max_bytes,
    }
    done = call_git(host, params)
    if done.rc:
        raise Refused(f"git could not compare: {done.err.strip()[-500:]}")
    return done.out, done.truncated


def changed_files(host: HostConnection, rng: Range, *, ignore_space: bool = False) -> list[FileChange]:
    """Return the changed files in git's order. Raises Refused and HostError."""
    space = ("--ignore-all-space",) if ignore_space else ()
    args = (
        "diff",
        "--raw",
        "--numstat",
        "-z",
        "--no-abbrev",
        *RENAMES,
        *PLAIN,
        *space,
        *rng.revisions,
        "--",
    )
    try:
        out, _ = _run(host, rng, args, MAX_LIST_BYTES)
    except Refused:
        if rng.new or not forget_special_files(Writer(host).with_index(rng.index), rng.folder):
            raise
        out, _ = _run(host, rng, args, MAX_LIST_BYTES)
    fields = iter(out.split("\0"))
    raw: list[tuple[list[str], str, str]] = []
    counts: dict[str, tuple[int | None, int | None]] = {}
    for field in fields:
        if field.startswith(":"):
            header = field[1:].split(" ")
            paths = list(islice(fields, 2 if header[4][:1] in "RC" else 1))
            raw.append((header, paths[0], paths[-1]))
        elif field.count("\t") >= 2:
            added, deleted, path = field.split("\t", 2)
            path = path or list(islice(fields, 2))[-1]
            counts[path] = (_count(added), _count(deleted))
    found = [_change(header, old, new, counts) for header, old, new in raw]
    listed = [change for change in found if not ignore_space or change.path in counts]
    return listed if rng.new else _with_objects(host, rng, listed)


def _with_objects(host: HostConnection, rng: Range, changes: list[FileChange]) -> list[FileChange]:
    """Add the object ids of a worktree's files, which git's diff omits.

    Without them, two edits with the same number of lines added and deleted would have the same version.
    """
    files = [each.path for each in changes if each.new_mode.startswith("100")]
    if not files:
        return changes
    found = host.call("digests", {"folder": rng.folder, "names": files}, timeout=SECONDS + 5)
    return [replace(each, new_object=found.get(each.path, each.new_object)) for each in changes]


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def _change(
    header: list[str], old: str, new: str, counts: dict[str, tuple[int | None, int | None]]
) -> FileChange:
    added, deleted = counts.get(new, (0, 0))
    return FileChange(
        path=new,
        old_path=old,
        status=header[4][:1],
        additions=added,
        deletions=deleted,
        old_object=header[2],
        new_object=header[3],
        old_mode=header[0],
        new_mode=header[1],
    )


def file_patch(
    host: HostConnection,
    rng: Range,
    path: str,
    old_path: str,
    *,
    ignore_space: bool = False,
    context: int = 3,
) -> tuple[str, bool]:
    """Return the unified diff of one file, and whether it was truncated because of its size."""
    space = ("--ignore-all-space",) if ignore_space else ()
    names = [path] if old_path == path else [old_path, path]
    args = ("diff", *RENAMES, f"--unified={context}", *PLAIN, *space, *rng.revisions, "--", *names)
    return _run(host, rng, args, MAX_FILE_BYTES)


def whole_patch(host: HostConnection, rng: Range, names: Sequence[str], *, most: int) -> str:
    """Return the diff of these files without context, with full ids of objects; cut after `most` bytes."""
    args = ("diff", *RENAMES, "--unified=0", "--full-index", *PLAIN, *rng.revisions, "--", *names)
    return _run(host, rng, args, most)[0]


def file_text(
    host: HostConnection, rng: Range, path: str, *, old: bool = False, most: int = 256 * 1024
) -> str | None:
    """Return one side of a file; None if it does not exist or is larger than `most` bytes."""
    if not old and not rng.new:
        answer = host.call("read_inside", {"folder": rng.folder, "name": path, "limit": most + 1})
        return answer["data"] if answer["exists"] and answer["size"] <= most else None
    commit = rng.old if old else rng.new
    args = ["cat-file", "blob", f"{commit}:{path}"]
    done = call_git(host, {"path": rng.folder, "args": args, "max_output": most})
    return None if done.rc or done.truncated else done.out


def file_content(
    host: HostConnection, rng: Range, path: str, *, old: bool = False, most: int
) -> tuple[bytes, int] | None:
    """Return one side of a file, of any content, and its size; None if it does not exist.

    Of a file that is larger than `most` bytes, no content is returned.
    """
    if not old and not rng.new:
        answer = host.call(
            "read_binary", {"folder": rng.folder, "name": path, "limit": most}, timeout=SECONDS
        )
        data = b"" if answer["size"] > most else base64.b64decode(answer["data"])
        return (data, answer["size"]) if answer["exists"] else None
    name = f"{rng.old if old else rng.new}:{path}"
    size = git(host, rng.folder, "cat-file", "-s", name, check=False)
    if size.rc:
        return None
    if int(size.out) > most:
        return b"", int(size.out)
    args = ["cat-file", "blob", name]
    done = call_git(host, {"path": rng.folder, "args": args, "max_output": most, "binary": True})
    return None if done.rc else (base64.b64decode(done.out), int(size.out))


def spare_index(write: Writer, worktree: str, index: str) -> None:
    """Copy a worktree's index to `index` and add its untracked files, so that a diff shows them."""
    git_dir = git(write.host, worktree, "rev-parse", "--absolute-git-dir").out.strip()
    write.host.run(["mkdir", "-p", "-m", "700", "--", index.rpartition("/")[0]])
    write.host.run(["cp", "-f", "--", join(git_dir, "index"), index])
    announce_untracked(write.with_index(index), worktree)


def merge_base(host: HostConnection, repo: str, left: str, right: str) -> str:
    """Return the best common ancestor; empty if there is none."""
    return git(host, repo, "merge-base", left, right, check=False).out.strip()


def upstream_commit(host: HostConnection, repo: str, base: str, main: str, branch: str) -> str:
    """Return the newest commit of origin's base branch that a branch has and `main` lacks; empty if none."""
    origin = base_names(base)[1]
    found = merge_base(host, repo, origin, branch)
    return "" if not found or contains(host, repo, main, found) else found


def merged_tree(host: HostConnection, repo: str, main: str, branch: str) -> str:
    """Return the tree of a trial merge, with conflict markers; empty if git is too old for it."""
    done = git(host, repo, "merge-tree", "--write-tree", "-z", main, branch, timeout=SECONDS, check=False)
    tree = done.out.split("\0")[0].strip()
    return tree if done.rc in (0, 1) and COMMIT.fullmatch(tree) else ""


def commits(host: HostConnection, repo: str, old: str, new: str) -> list[Commit]:
    """Return the commits of `old..new`, newest first; at most MAX_COMMITS."""
    form = "--format=%H%x00%at%x00%P%x00%an%x00%s%x00"
    args = ("log", "-z", form, f"--max-count={MAX_COMMITS}", f"{old}..{new}", "--")
    fields = git(host, repo, *args).out.split("\0")
    found = []
    for start in range(0, len(fields) - 4, 6):
        sha, at, parents, author, subject = (field.strip("\n") for field in fields[start : start + 5])
        when = datetime.fromtimestamp(int(at), UTC)
        found.append(Commit(sha, subject, author, when, len(parents.split())))
    return found
