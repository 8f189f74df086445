"""Names of files that Windows can't check out, or not beside another one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workspaces.git.commands import git
from workspaces.hosts import HostConnection

RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)", re.IGNORECASE)
FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f]')
LONGEST = 259
"Characters of a path, without those of the folder that the repository is in."
LINK = "120000"
SECONDS = 120.0


@dataclass(frozen=True)
class Unportable:
    """A changed file that Windows can't check out, and why."""

    path: str
    why: str


def why_not_portable(path: str, mode: str = "") -> str:
    """Return why Windows can't check out a file, as the end of a sentence; empty if it can."""
    if mode == LINK:
        return "it is a link, which Windows creates only with special rights"
    try:
        length = len(path.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    reasons = (_why_not_one(part) for part in path.split("/"))
    if why := next(filter(None, reasons), ""):
        return why
    return f"its path has {length} characters, and Windows allows {LONGEST}" if length > LONGEST else ""


def _why_not_one(name: str) -> str:
    """Return why Windows refuses the name of a file or a folder."""
    if RESERVED.fullmatch(name.partition(".")[0].rstrip(" ")):
        return f"Windows reserves the name {name}"
    if found := FORBIDDEN.search(name):
        return (
            f"Windows allows no {found[0]!r} in names"
            if found[0].isprintable()
            else "it has control characters"
        )
    if name.endswith((".", " ")):
        return f"Windows drops the {'dot' if name.endswith('.') else 'space'} at the end of {name!r}"
    return ""


def unportable_changes(host: HostConnection, repo: str, old: str, new: str) -> list[Unportable]:
    """Return the files that `new` adds to `old`, or makes links of, and that Windows can't check out."""
    args = ("diff-tree", "-r", "--raw", "--no-renames", "--diff-filter=AT", "-z", old, new, "--")
    fields = git(host, repo, *args, timeout=SECONDS).out.split("\0")
    modes = {path: header.split(" ")[1] for header, path in zip(fields[:-1:2], fields[1::2], strict=True)}
    clashes = clashes_of(host, repo, new, modes)
    found = ((path, why_not_portable(path, mode) or clashes.get(path, "")) for path, mode in modes.items())
    return [Unportable(path, why) for path, why in found if why]


def clashes_of(host: HostConnection, repo: str, commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Return those of the paths whose names differ only by case from another one's in the commit, and why.

    Reads only the folders that they are in.
    """
    paths = list(paths)
    folders = sorted({folder for path in paths for folder in _folders(path)})
    listed = [*_listed(host, repo, commit, ()), *_listed(host, repo, commit, folders)] if paths else []
    same: dict[str, set[str]] = {}
    for name in listed:
        same.setdefault(_folded(name), set()).add(name)
    found = {}
    for path in paths:
        parts = [path, *_folders(path)]
        others = (other for part in parts for other in same.get(_folded(part), set()) - {part})
        if other := next(others, ""):
            found[path] = f"on Windows it is the same name as {other}"
    return found


def _listed(host: HostConnection, repo: str, commit: str, folders: Sequence[str]) -> list[str]:
    """Return the entries of these folders, or of the top folder without any."""
    args = ("--literal-pathspecs", "ls-tree", "-z", "--name-only", "--full-tree", commit)
    found: list[str] = []
    for start in range(0, max(1, len(folders)), 500):
        some = [f"{folder}/" for folder in folders[start : start + 500]]
        if some or not folders:
            found += git(host, repo, *args, "--", *some, timeout=SECONDS, check=False).out.split("\0")
    return [name for name in found if name]


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
