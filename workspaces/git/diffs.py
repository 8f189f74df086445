"""Differences between two states of a repository, read so that no name of a file can do harm."""

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
from workspaces.git.commands import ENVIRONMENT, failure, git
from workspaces.git.repos import COMMIT
from workspaces.git.writing import Writer
from workspaces.hostkit import wire
from workspaces.hosts import HostConnection

MAX_LIST_BYTES = 32 * 1024 * 1024
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_COMMITS = 500
SECONDS = 120.0
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"The tree without files, which every repository knows."
PLAIN = (
    *("--no-color", "--no-ext-diff", "--no-textconv", "--submodule=short", "--ignore-submodules=untracked"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)
"Whatever the person's own configuration says of diffs."


@dataclass(frozen=True)
class Range:
    """Compares `old` with `new`; an empty `new` is the worktree at `folder`, uncommitted work too."""

    folder: str
    old: str
    new: str = ""
    index: str = ""
    "A spare index for the worktree, so that its own is not touched."

    @property
    def words(self) -> tuple[str, ...]:
        return (self.old, self.new) if self.new else (self.old,)

    @property
    def environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, "GIT_INDEX_FILE": self.index} if self.index else ENVIRONMENT


@dataclass(frozen=True)
class FileChange:
    """One file that differs. Additions and deletions are None for binary files."""

    path: str
    old_path: str
    status: str
    "A, M, D, R, C or T, as git says."
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
        """Changes whenever the file's difference does."""
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
    """A path of any bytes as plain text for addresses and rows."""
    return base64.urlsafe_b64encode(os.fsencode(path)).decode().rstrip("=")


def path_of(key: str) -> str:
    """The path of a key. Raises Refused for what is none."""
    try:
        raw = base64.urlsafe_b64decode(key.encode("ascii") + b"=" * (-len(key) % 4))
    except (ValueError, binascii.Error):
        raise Refused("There is no such file.") from None
    path = raw.decode("utf-8", "surrogateescape")
    if not path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
        raise Refused("There is no such file.")
    return path


def _run(host: HostConnection, rng: Range, words: Sequence[str], most: int) -> tuple[str, bool]:
    """Output of a diff, and whether it was cut."""
    argv = ["git", "-C", rng.folder, "--literal-pathspecs", *words]
    params: wire.ExecParams = {"argv": argv, "env": rng.environment, "timeout": SECONDS, "max_output": most}
    done = host.call("exec", params, timeout=SECONDS + 5)
    if done["rc"]:
        raise Refused(f"git could not compare: {done['err'].strip()[-500:]}")
    return done["out"], done["truncated"]


def changed_files(host: HostConnection, rng: Range, *, ignore_space: bool = False) -> list[FileChange]:
    """All files that differ, in git's order. Raises Refused and HostError."""
    space = ("--ignore-all-space",) if ignore_space else ()
    words = (
        "diff",
        "--raw",
        "--numstat",
        "-z",
        "--no-abbrev",
        "--find-renames",
        *PLAIN,
        *space,
        *rng.words,
        "--",
    )
    out, _ = _run(host, rng, words, MAX_LIST_BYTES)
    fields = iter(out.split("\0"))
    raw: list[tuple[list[str], str, str]] = []
    numbers: dict[str, tuple[int | None, int | None]] = {}
    for field in fields:
        if field.startswith(":"):
            about = field[1:].split(" ")
            paths = list(islice(fields, 2 if about[4][:1] in "RC" else 1))
            raw.append((about, paths[0], paths[-1]))
        elif field.count("\t") >= 2:
            added, deleted, path = field.split("\t", 2)
            path = path or list(islice(fields, 2))[-1]
            numbers[path] = (_count(added), _count(deleted))
    found = [_change(about, old, new, numbers) for about, old, new in raw]
    listed = [change for change in found if not ignore_space or change.path in numbers]
    return listed if rng.new else _hashed(host, rng, listed)


def _hashed(host: HostConnection, rng: Range, changes: list[FileChange]) -> list[FileChange]:
    """Files of a worktree with the object that they would be, which git's diff leaves out.

    Without it an edit that adds and deletes as many lines as the one before would look the same.
    """
    files = [each.path for each in changes if each.new_mode.startswith("100") and "\n" not in each.path]
    if not files:
        return changes
    argv = ["git", "-C", rng.folder, "hash-object", "--no-filters", "--stdin-paths"]
    names = "".join(f"./{path}\n" for path in files)
    params: wire.ExecParams = {"argv": argv, "env": rng.environment, "stdin": names, "timeout": SECONDS}
    done = host.call("exec", params, timeout=SECONDS + 5)
    objects = dict(zip(files, done["out"].split(), strict=False))
    return [replace(each, new_object=objects.get(each.path, each.new_object)) for each in changes]


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def _change(
    about: list[str], old: str, new: str, numbers: dict[str, tuple[int | None, int | None]]
) -> FileChange:
    added, deleted = numbers.get(new, (0, 0))
    return FileChange(
        path=new,
        old_path=old,
        status=about[4][:1],
        additions=added,
        deletions=deleted,
        old_object=about[2],
        new_object=about[3],
        old_mode=about[0],
        new_mode=about[1],
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
    """The unified diff of one file, and whether it was cut since it is huge."""
    space = ("--ignore-all-space",) if ignore_space else ()
    names = [path] if old_path == path else [old_path, path]
    words = ("diff", "--find-renames", f"--unified={context}", *PLAIN, *space, *rng.words, "--", *names)
    return _run(host, rng, words, MAX_FILE_BYTES)


def file_text(
    host: HostConnection, rng: Range, path: str, *, old: bool = False, most: int = 256 * 1024
) -> str | None:
    """One side of a file; None when it is not there or larger than `most` bytes."""
    if not old and not rng.new:
        where = join(rng.folder, path)
        if not host.exists(where):
            return None
        answer = host.call("read", {"path": where, "limit": most + 1})
        return str(answer["data"]) if answer["size"] <= most else None
    commit = rng.old if old else rng.new
    argv = ["git", "-C", rng.folder, "cat-file", "blob", f"{commit}:{path}"]
    done = host.call("exec", {"argv": argv, "env": ENVIRONMENT, "max_output": most})
    return None if done["rc"] or done["truncated"] else str(done["out"])


def spare_index(write: Writer, worktree: str, index: str) -> None:
    """Make an index beside a worktree's own that knows new files by name, so that a diff shows them."""
    git_dir = git(write.host, worktree, "rev-parse", "--absolute-git-dir").out.strip()
    write.host.run(["mkdir", "-p", "-m", "700", "--", index.rpartition("/")[0]])
    write.host.run(["cp", "-f", "--", join(git_dir, "index"), index])
    spare = Writer(write.host, {**write.environment, "GIT_INDEX_FILE": index})
    done = spare.git(worktree, "add", "--intent-to-add", "--ignore-errors", "--", ".", check=False)
    if done.rc > 1:  # 1: something could not be added, such as a repository in it without any commit
        raise failure(worktree, "add", done)


def merge_base(host: HostConnection, repo: str, left: str, right: str) -> str:
    """The best common ancestor; empty when there is none."""
    return git(host, repo, "merge-base", left, right, check=False).out.strip()


def merged_tree(host: HostConnection, repo: str, main: str, branch: str) -> str:
    """The tree that merging would give, conflicts marked in it; empty when git is too old to say."""
    done = git(host, repo, "merge-tree", "--write-tree", "-z", main, branch, timeout=SECONDS, check=False)
    tree = done.out.split("\0")[0].strip()
    return tree if done.rc in (0, 1) and COMMIT.fullmatch(tree) else ""


def commits(host: HostConnection, repo: str, old: str, new: str) -> list[Commit]:
    """The commits that `new` has beyond `old`, newest first; at most MAX_COMMITS."""
    form = "--format=%H%x00%at%x00%P%x00%an%x00%s%x00"
    words = ("log", "-z", form, f"--max-count={MAX_COMMITS}", f"{old}..{new}", "--")
    fields = git(host, repo, *words).out.split("\0")
    found = []
    for start in range(0, len(fields) - 4, 6):
        sha, at, parents, author, subject = (field.strip("\n") for field in fields[start : start + 5])
        when = datetime.fromtimestamp(int(at), UTC)
        found.append(Commit(sha, subject, author, when, len(parents.split())))
    return found
