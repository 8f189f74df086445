"""Pictures that a run has made with commands: no call of a tool shows them, but the worktree has them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from ..base.pictures import MOST, picture_at
from ..escapes import some_of, visible
from ..folder import RunFolder
from ..git.places import UnsafeGitFolder
from ..wire import NoticeEvent, RunSpec, ShownPicture
from .commit import CommitError, Git, place_of
from .pictures import Pictures

ENDINGS = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp"}
INTRODUCTION = "Pictures in the worktree that are new or have changed"


def made_pictures(folder: RunFolder, spec: RunSpec, since: float) -> Optional[NoticeEvent]:
    """Keep the pictures that have changed since then, and return an event that names them; None if none has.

    Those that the run has shown before are left out. Call it after the run's processes have ended.
    """
    try:
        found = list(_kept(folder, spec, since))
    except (CommitError, UnsafeGitFolder, OSError, subprocess.SubprocessError):
        return None
    if not found:
        return None
    names, pictures = [name for name, _ in found], [picture for _, picture in found]
    return {"kind": "notice", "text": f"{INTRODUCTION}: {some_of(names)}.", "pictures": pictures}


def _kept(folder: RunFolder, spec: RunSpec, since: float) -> Iterator[Tuple[str, ShownPicture]]:
    worktree = Path(spec.get("worktree") or "/nonexistent").resolve()
    kept, count = Pictures(folder.path / "pictures"), 0
    for name in _changed(Git(place_of(worktree, spec), spec), str(spec.get("base_commit") or "HEAD")):
        path = worktree / name
        is_new = path.resolve() == path and path.is_file() and path.stat().st_ctime >= since  # no link
        content = picture_at(path) if is_new and count < MOST else None
        picture = kept.keep(content) if content and not kept.has(content) else None
        if picture:
            count += 1
            yield name, {**picture, "name": visible(name)[:200]}


def _changed(git: Git, base: str) -> List[str]:
    """Return the names of pictures that differ from the base, or that git does not know, in order."""
    start = git.output("merge-base", base, "HEAD") or "HEAD"
    differing = ["diff", "--name-only", "-z", "--no-renames", "--diff-filter=AM", start]
    unknown = ["ls-files", "--others", "--exclude-standard", "-z"]
    names = {name for args in (differing, unknown) for name in git.output_of(args, {}, "").split("\0")}
    return sorted(name for name in names if Path(name).suffix.lower() in ENDINGS)
