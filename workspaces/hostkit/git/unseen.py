"""Work in a worktree that `git status` does not show: overlooked changes, ignored files.

git overlooks changes of files that are marked as assume-unchanged or skip-worktree.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Sequence

from ..files import make_private_folder
from ..folder import state_dir

RunGit = Callable[[List[str], Dict[str, str], str], str]
"""Runs git in the worktree: (arguments, variables, input) → output; empty if it fails."""

REGENERATED = {
    *("node_modules", "bower_components", ".yarn", ".pnpm-store", ".venv", "venv", ".tox", ".nox", ".eggs"),
    *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".coverage", ".cache"),
    *(".gradle", ".next", ".nuxt", ".svelte-kit", ".turbo", ".parcel-cache", ".terraform", ".DS_Store"),
}
"""Names of files and folders that tools create again."""
REGENERATED_FILES = (".pyc", ".pyo", ".o", ".class")
CACHE_MARKS = ("CACHEDIR.TAG", "pyvenv.cfg")
"""Files that mark a folder as a cache or as a virtual environment."""
MAX_IGNORE_FILE = 1024 * 1024


def hidden_changes(top: Path, run: RunGit) -> List[str]:
    """Return the changed files among those that git is told to overlook."""
    names = _overlooked(top, run)
    index = run(["rev-parse", "--path-format=absolute", "--git-path", "index"], {}, "").rstrip("\n")
    if not names or not index:
        return []
    with _spare_folder() as folder:
        shutil.copyfile(index, str(folder / "index"))
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        listed = "".join(f"{name}\0" for name in names)
        for option in ("--no-assume-unchanged", "--no-skip-worktree"):
            run(["update-index", option, "-z", "--stdin"], env, listed)
        run(["update-index", "-q", "--refresh", "--ignore-submodules"], env, "")
        out = run(["diff-files", "--name-only", "-z", "--ignore-submodules=dirty"], env, "")
    return sorted(set(names).intersection(out.split("\0")))


def _overlooked(top: Path, run: RunGit) -> List[str]:
    """Return the files whose changes git overlooks, without those that are not checked out on purpose."""
    records = [record for record in run(["ls-files", "-v", "-z"], {}, "").split("\0") if record]
    marked = [(record[0], record[2:]) for record in records if record[0].islower() or record[0] == "S"]
    return [name for mark, name in marked if mark == "h" or os.path.lexists(str(top / name))]


def ignored_files(top: Path, run: RunGit) -> List[str]:
    """Return the files that git ignores, and folders of them with a `/`, without what tools create again."""
    args = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    names = [name for name in run(args, {}, "").split("\0") if name]
    return [name for name in names if not is_regenerated(top / name)]


def is_regenerated(path: Path) -> bool:
    """Return whether tools create the file or folder again."""
    if path.name in REGENERATED or path.name.endswith(REGENERATED_FILES):
        return True
    return any((path / mark).is_file() for mark in CACHE_MARKS)


def ignored_as_folders(top: Path, names: Sequence[str], run: RunGit) -> List[str]:
    """Return the links among untracked files that git would ignore if they were folders.

    A pattern such as `node_modules/` does not match a link to a folder of that name.
    """
    links = [name for name in names if (top / name).is_symlink() and (top / name).is_dir()]
    if not links:
        return []
    with _spare_folder() as folder:
        for name in links:
            for parent in Path(name).parents:
                _copy_ignore_file(top / parent, folder / parent)
            (folder / name).mkdir(parents=True, exist_ok=True)
        args = ["-C", str(folder), f"--work-tree={folder}", "check-ignore", "--no-index", "-z", "--stdin"]
        return [name for name in run(args, {}, "".join(f"{name}\0" for name in links)).split("\0") if name]


def _copy_ignore_file(source: Path, target: Path) -> None:
    path = source / ".gitignore"
    target.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_IGNORE_FILE:
            shutil.copyfile(str(path), str(target / ".gitignore"))


@contextmanager
def _spare_folder() -> Iterator[Path]:
    make_private_folder(state_dir())
    folder = Path(tempfile.mkdtemp(prefix=".spare-", dir=str(state_dir())))
    try:
        yield folder
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)
