"""What to change in a checkout to show a commit, and what is in the way. Nothing is changed yet."""

from __future__ import annotations

import os
import stat
from typing import Collection, Dict, List, NamedTuple, Optional, Set, Tuple

from .checkout import CanNot, Checkout
from .names import all_parents, files_below, is_file, is_folder, is_safe, look_at, open_parent, parents
from .store import Store

GITLINK = "160000"
ABSENT = "000000"


class PathChange(NamedTuple):
    """A path whose content differs between HEAD and what is to be shown."""

    path: str
    stays: bool
    "Whether there is a file at the path afterwards."


class Plan(NamedTuple):
    """What `moves.carry_out` will do."""

    had: List[bool]
    "For each change: whether there is a file now that goes, or is replaced."
    made: List[str]
    removed: List[Tuple[str, int]]
    "Folders that become empty, the innermost first, with their modes."


def tree_to_show(checkout: Checkout, head: str, commit: str) -> str:
    """Return the tree of HEAD with the change of a commit. Raises CanNot if they conflict."""
    done = checkout.git("merge-tree", "--write-tree", "--name-only", "-z", head, commit, check=False)
    fields = done.stdout.split("\0")
    if done.returncode == 0:
        return fields[0].strip()
    if done.returncode == 1 and "" in fields:
        names = sorted(set(fields[1 : fields.index("")]))
        raise CanNot(
            "The change conflicts with what is checked out.",
            "Let the agent merge the base branch into the task's branch, then show it again.",
            names,
        )
    if done.returncode == 129:
        raise CanNot("Spotlight needs git 2.38 or newer on the host.", "Update git there.")
    raise CanNot(f"git could not merge the change: {done.stderr.strip()[-600:]}")


def changes(checkout: Checkout, head: str, tree: str) -> List[PathChange]:
    """Return the paths that differ. Raises CanNot for what can't be shown."""
    args = ("diff-tree", "-r", "--raw", "--no-renames", "-z", head, tree, "--")
    fields = checkout.git(*args).stdout.split("\0")
    pairs = [(fields[at].split(" "), fields[at + 1]) for at in range(0, len(fields) - 1, 2)]
    submodules = sorted(path for header, path in pairs if GITLINK in (header[0][1:], header[1]))
    if submodules:
        raise CanNot(
            "The change moves a submodule to another commit.", "Look at it on the review page.", submodules
        )
    unsafe = sorted(path for _, path in pairs if not is_safe(path))
    if unsafe:
        raise CanNot("The change has files that git itself would not check out.", "Discard the task.", unsafe)
    found = [PathChange(path, header[1] != ABSENT) for header, path in pairs]
    _refuse_overlapping(found)
    return found


def _refuse_overlapping(found: List[PathChange]) -> None:
    """Raise CanNot for a file in place of the folder of another one, which only a forged tree can have."""
    staying = {change.path for change in found if change.stays}
    both = sorted(staying & all_parents(staying))
    if both:
        raise CanNot("The change has files that git itself would not check out.", "Discard the task.", both)


def obstacles(store_top: int, found: List[PathChange], tracked: Set[str], ours: Collection[str]) -> List[str]:
    """Return what would be overwritten, or hides a folder: files that git does not track in these places.

    `ours` are files that Spotlight itself has put there, and will take away before.
    """
    going = {change.path for change in found if not change.stays and change.path in tracked} | set(ours)
    way: Set[str] = set()
    known: Dict[str, Optional[str]] = {}
    for change in found:
        if change.stays:
            folder = _before(store_top, change.path, going, known)
            way.update([folder] if folder else _at(store_top, change.path, going, tracked))
    return sorted(way)


def _before(top: int, path: str, going: Set[str], known: Dict[str, Optional[str]]) -> str:
    """Return the parent of a path that is no folder of this repository; empty if there is none."""
    for parent in parents(path):
        if parent not in known:
            known[parent] = _what_is_wrong(top, parent, going)
        if known[parent]:
            return known[parent] or ""
    return ""


def _what_is_wrong(top: int, parent: str, going: Set[str]) -> str:
    there = look_at(top, parent)
    if there is None or parent in going:
        return ""
    is_nested = look_at(top, f"{parent}/.git") is not None
    return parent if is_nested or not stat.S_ISDIR(there.st_mode) else ""


def _at(top: int, path: str, going: Set[str], tracked: Set[str]) -> List[str]:
    there = look_at(top, path)
    if there is None or path in going:
        return []
    if stat.S_ISDIR(there.st_mode):
        return [name for name in files_below(top, path) if name not in going]
    is_plain = stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode)
    return [] if path in tracked and is_plain else [path]


def plan(top: int, found: List[PathChange], tracked: Set[str]) -> Plan:
    """Return what to do. Files that are gone already, or that git does not track, are not removed."""
    had = [is_file(top, change.path) and (change.stays or change.path in tracked) for change in found]
    going = {change.path for number, change in enumerate(found) if had[number] and not change.stays}
    needed = all_parents(change.path for change in found if change.stays)
    removed = _emptied(top, going, needed)
    made = sorted(path for path in needed if not is_folder(top, path))
    return Plan(had, made, removed)


def _emptied(top: int, going: Set[str], needed: Set[str]) -> List[Tuple[str, int]]:
    """Return the folders that have nothing but what goes, the innermost first, with their modes."""
    found: Dict[str, int] = {}
    for folder in sorted(all_parents(going), key=lambda path: -path.count("/")):
        if folder in needed:
            continue
        with open_parent(top, f"{folder}/.") as handle:
            if handle is not None and all(
                f"{folder}/{name}" in {*going, *found} for name in _names_in(handle)
            ):
                found[folder] = stat.S_IMODE(os.fstat(handle).st_mode)
    return list(found.items())


def _names_in(handle: int) -> List[str]:
    return os.listdir(handle)


def fill(checkout: Checkout, store: Store, tree: str, found: List[PathChange]) -> None:
    """Let git write the files of a tree, converted as in a checkout, into the store as `new/<number>`."""
    folder = store.folder / "tree"
    folder.mkdir()
    env = {"GIT_INDEX_FILE": str(store.folder / "index"), "GIT_WORK_TREE": str(folder)}
    checkout.git("read-tree", tree, env=env)
    names = [change.path for change in found if change.stays]
    stdin = "".join(f"{name}\0" for name in names)
    checkout.git("checkout-index", "--quiet", "-z", "--stdin", stdin=stdin, env=env)
    missing = [name for name in names if not os.path.lexists(str(folder / name))]
    if missing:
        raise CanNot("git could not write some of the files.", "", missing)
    for number, change in enumerate(found):
        if change.stays:
            (folder / change.path).rename(store.folder / "new" / str(number))
