"""Overlaps between branches, found without changing a branch or a worktree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from posixpath import join
from uuid import uuid4

from workspaces.git.commands import call_git, failure, git
from workspaces.git.diffs import merge_base
from workspaces.git.in_the_way import created_path
from workspaces.git.submodules import NO_NESTED
from workspaces.hosts import HostConnection

SECONDS = 120.0
NO_WRITE_TREE = 129
"git's exit status for an unknown option."


@dataclass(frozen=True)
class Touched:
    """The paths that a branch changes, including the old names of moved files."""

    paths: set[str]
    left: set[str]
    "Folders that it removed files from, and their parents."
    entered: set[str]
    "Folders that it added files to, and their parents."
    created: frozenset[str] = frozenset()
    "The paths of files that git creates for it: see `created_path`."

    def meets(self, other: Touched) -> bool:
        """Return whether merging both may conflict: they change the same file, one has a file where the other
        has a folder, or one adds a file to a folder that the other has moved.
        """
        if self.paths & other.paths or self.left & other.entered or other.left & self.entered:
            return True
        return bool(self.paths & _folders(other.paths) or other.paths & _folders(self.paths))


def touched_by(host: HostConnection, repo: str, main: str, tip: str) -> Touched:
    """Return what a branch has changed since it forked from main."""
    found = _raw_changes(host, repo, main, tip)
    deleted = {path for header, path in found if header.endswith("D")}
    added = {path for header, path in found if header.endswith("A")}
    created = frozenset(created_path(header, path) for header, path in found if header.endswith("A"))
    return Touched({path for _, path in found}, _folders(deleted), _folders(added), created)


@dataclass(frozen=True)
class ChangedBlob:
    """A file that a branch changes, with the git objects of both versions; empty if there is none."""

    path: str
    old: str
    new: str


def blobs_changed_by(host: HostConnection, repo: str, main: str, tip: str) -> list[ChangedBlob]:
    """Return the files that a branch has changed since it forked from main."""
    found = []
    for header, path in _raw_changes(host, repo, main, tip, "--no-abbrev"):
        _, _, old, new, _ = header.split(" ")
        found.append(ChangedBlob(path, old.strip("0") and old, new.strip("0") and new))
    return found


def _raw_changes(
    host: HostConnection, repo: str, main: str, tip: str, *options: str
) -> list[tuple[str, str]]:
    """Return the header of `diff-tree --raw` and the path of each file changed since the fork from main."""
    args = ("diff-tree", "-r", "--raw", "--no-renames", *options, "-z")
    done = git(host, repo, *args, "--merge-base", main, tip, "--", timeout=SECONDS, check=False)
    if done.rc:  # there is no merge base, there are several, or git is older than 2.30
        base = merge_base(host, repo, main, tip) or main
        done = git(host, repo, *args, base, tip, "--", timeout=SECONDS)
    fields = done.out.split("\0")
    return list(zip(fields[:-1:2], fields[1::2], strict=True))


def _folders(paths: set[str]) -> set[str]:
    """Return all parent folders of the paths."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def uncommitted_paths(host: HostConnection, worktree: str) -> set[str]:
    """Return the paths with uncommitted changes in a worktree, also those that git is told to overlook."""
    done = git(
        host,
        worktree,
        "status",
        "--porcelain=v1",
        "--no-renames",
        "-z",
        "--untracked-files=all",
        NO_NESTED,
        check=False,
    )
    unseen = host.call("unseen", {"path": worktree, "untracked": [], "ignored": False}, timeout=SECONDS)
    return {record[3:] for record in done.out.split("\0") if len(record) > 3}.union(unseen["hidden"])


def conflicts_between(host: HostConnection, repo: str, left: str, right: str) -> list[str]:
    """Return the files in which two commits conflict, by a trial merge in memory. Raises GitError."""
    args = ("merge-tree", "--write-tree", "--name-only", "-z", left, right)
    done = git(host, repo, *args, timeout=SECONDS, check=False)
    if done.rc == 0:
        return []
    if done.rc == 1 and done.out:  # without output, there is no such commit
        _, *fields = done.out.split("\0")
        return _conflicting(iter(fields))
    if done.rc == NO_WRITE_TREE:
        return conflicts_in_spare_index(host, repo, left, right)
    raise failure(repo, "merge-tree", done)


def conflicts_of_each(host: HostConnection, repo: str, pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the same for each pair of commits, by one git process for all of them.

    If git fails at one of them or is older than 2.39, each pair gets a process of its own. Raises GitError.
    """
    if not pairs:
        return []
    lines = "".join(f"{left} {right}\n" for left, right in pairs)
    args = ("merge-tree", "--write-tree", "--name-only", "--stdin")
    done = git(host, repo, *args, stdin=lines, timeout=SECONDS * len(pairs), check=False)
    if done.rc or done.truncated:
        return [conflicts_between(host, repo, left, right) for left, right in pairs]
    fields = iter(done.out.split("\0"))
    return [_next_result(fields) for _ in pairs]


def _next_result(fields: Iterator[str]) -> list[str]:
    """Take the result of one merge from the output of `git merge-tree --stdin`: the state, the tree, and then
    what `git merge-tree -z` has, with an empty field at its end.
    """
    clean, _tree = next(fields) == "1", next(fields)
    if not clean:
        return _conflicting(fields)
    next(fields)
    return []


def _conflicting(fields: Iterator[str]) -> list[str]:
    """Take the files of a merge with conflicts and its messages, up to the empty field at their end."""
    names = set(takewhile(bool, fields))
    messages = list(_messages(fields))
    return sorted(names) or sorted({path for paths, _ in messages for path in paths})


def conflict_messages(out: str) -> Iterator[tuple[list[str], str]]:
    """Yield (paths, text) of the messages about conflicts in the output of `git merge-tree -z`.

    Some conflicts have nothing else: where the files of a folder belong that was moved to several others.
    """
    fields = iter(out.split("\0"))
    for _ in takewhile(bool, fields):
        pass
    yield from _messages(fields)


def _messages(fields: Iterator[str]) -> Iterator[tuple[list[str], str]]:
    """Take the messages up to the empty field at their end, and yield those about conflicts."""
    for count in takewhile(str.isdecimal, fields):
        paths = list(islice(fields, int(count)))
        kind, text = next(fields, ""), next(fields, "")
        if kind.startswith("CONFLICT"):
            yield paths, text.strip()


def conflicts_in_spare_index(host: HostConnection, repo: str, left: str, right: str) -> list[str]:
    """Return the same for git before 2.38, by a three-way `read-tree` and then file by file."""
    base = git(host, repo, "merge-base", left, right).out.strip()
    folder = join(str(host.hello()["state_dir"]), "overlaps", uuid4().hex[:12])
    host.run(["mkdir", "-p", "-m", "700", "--", folder])
    try:
        index = join(folder, "index")
        read = ("read-tree", "-i", "-m", "--aggressive", base, left, right)
        git(host, repo, *read, index=index, timeout=SECONDS)
        listed = git(host, repo, "ls-files", "--unmerged", "-z", index=index, timeout=SECONDS)
        return [
            path for path, objects in _stages(listed.out).items() if not _merges(host, repo, folder, objects)
        ]
    finally:
        host.run(["rm", "-rf", "--", folder], check=False)


def _stages(out: str) -> dict[str, dict[str, str]]:
    """Map each unmerged path to its objects by stage."""
    found: dict[str, dict[str, str]] = {}
    for record in filter(None, out.split("\0")):
        header, _, path = record.partition("\t")
        _, name, stage = header.split(" ")
        found.setdefault(path, {})[stage] = name
    return found


def _merges(host: HostConnection, repo: str, folder: str, objects: dict[str, str]) -> bool:
    """Return whether git can merge both versions of a file."""
    if set(objects) != {"1", "2", "3"}:
        return False
    paths = [join(folder, stage) for stage in ("2", "1", "3")]
    for path, stage in zip(paths, ("2", "1", "3"), strict=True):
        args = ["cat-file", "blob", objects[stage]]
        if call_git(host, {"path": repo, "args": args, "stdout_path": path}).rc:
            return False
    return git(host, repo, "merge-file", "-p", "--quiet", *paths, check=False).rc == 0


def shared(left: set[str], right: set[str]) -> list[str]:
    """Return the paths of both sets, sorted."""
    return sorted(left & right)


def order_with_fewest_conflicts(tasks: Sequence[int], pairs: set[frozenset[int]]) -> list[int]:
    """Order tasks so that few of them fail with a conflict; `pairs` are the tasks that conflict.

    Tasks without a conflict come first, in the given order.
    """
    rest, order = list(tasks), []
    while rest:
        degree = {
            task: sum(frozenset((task, other)) in pairs for other in rest if other != task) for task in rest
        }
        chosen = min(rest, key=lambda task: (degree[task], rest.index(task)))
        blocked = [task for task in rest if frozenset((task, chosen)) in pairs]
        order.append(chosen)
        rest = [task for task in rest if task != chosen and task not in blocked]
        if not rest:
            rest = [task for task in tasks if task not in order]
    return order
