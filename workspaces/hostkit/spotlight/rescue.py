"""Commits of what is not committed, byte for byte, so that a rescue ref keeps it in any case."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path
from typing import Dict, Iterable, List, Optional

from .checkout import Checkout

REFS = "refs/aitask/rescue/spotlight"
KEPT = 30
"""Number of rescue refs of Spotlight that are kept, the newest ones."""
IDENTITY = {
    "GIT_AUTHOR_NAME": "AI Task Manager",
    "GIT_AUTHOR_EMAIL": "aitask@localhost",
    "GIT_COMMITTER_NAME": "AI Task Manager",
    "GIT_COMMITTER_EMAIL": "aitask@localhost",
}


def keep(checkout: Checkout, base: str, paths: Iterable[str], folder: Path, what: str) -> str:
    """Keep files of the checkout as they are, in a commit whose parents are `base` and the index.

    `folder` is for temporary files. Return the name of the rescue ref.
    """
    index = str(folder / "rescue-index")
    env = {"GIT_INDEX_FILE": index, **IDENTITY}
    parents = ["-p", base]
    staged = _staged(checkout, index, env)
    if staged:
        args = ("commit-tree", "-p", base, "-m", "What was staged", staged)
        parents += ["-p", checkout.git(*args, env=env).stdout.strip()]
    checkout.git("read-tree", base, env=env)
    records = _records(checkout, sorted(set(paths)), folder, "0" * len(base))
    checkout.git("update-index", "-z", "--index-info", stdin="".join(records), env=env)
    tree = checkout.git("write-tree", env=env).stdout.strip()
    commit = checkout.git("commit-tree", *parents, "-m", what, tree, env=env).stdout.strip()
    name = f"{REFS}/{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.{time.time_ns() % 10**9:09d}Z"
    checkout.git("update-ref", name, commit, "")
    _forget_old(checkout)
    return name


def _staged(checkout: Checkout, index: str, env: Dict[str, str]) -> str:
    """Return the tree of the index. `git write-tree` would write to it, so it works on a copy."""
    own = Path(checkout.git_dir) / "index"
    if not own.exists():
        return ""
    shutil.copyfile(str(own), index)
    return checkout.git("write-tree", env=env, check=False).stdout.strip()


def _records(checkout: Checkout, paths: List[str], folder: Path, nothing: str) -> List[str]:
    """Return lines for `update-index --index-info`: files as they are, and those that are gone."""
    records: List[str] = []
    files: List[str] = []
    sources: List[str] = []
    for number, path in enumerate(paths):
        source = _source(checkout, path, folder / f"link-{number}")
        if source is None:
            records.append(f"0 {nothing}\t{path}\0")
            continue
        files.append(path)
        sources.append(source)
    if sources:
        lines = "".join(f"{_quoted(source)}\n" for source in sources)
        args = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        names = checkout.git(*args, stdin=lines).stdout.split()
        modes = [_mode(Path(checkout.top) / path) for path in files]
        records += [f"{modes[at]} {names[at]}\t{path}\0" for at, path in enumerate(files)]
    return records


def _source(checkout: Checkout, path: str, spare: Path) -> Optional[str]:
    """Return the file with the content: of a link, a file that says where it leads. None if there is none."""
    full = Path(checkout.top) / path
    try:
        known = full.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(known.st_mode):
        spare.write_bytes(os.fsencode(os.readlink(full)))  # noqa: PTH115 (needs Python 3.9)
        return str(spare)
    return str(full) if stat.S_ISREG(known.st_mode) else None


def _mode(path: Path) -> str:
    known = path.lstat()
    if stat.S_ISLNK(known.st_mode):
        return "120000"
    return "100755" if known.st_mode & 0o100 else "100644"


def _quoted(path: str) -> str:
    """Return a path as git reads it line by line: between quotation marks, with octal numbers."""
    return '"' + "".join(_octal(byte) for byte in os.fsencode(path)) + '"'


def _octal(byte: int) -> str:
    is_plain = 0x20 < byte < 0x7F and byte not in b'"\\'
    return chr(byte) if is_plain else f"\\{byte:03o}"


def _forget_old(checkout: Checkout) -> None:
    names = checkout.git("for-each-ref", "--format=%(refname)", REFS).stdout.split()
    for name in sorted(names)[:-KEPT]:
        checkout.git("update-ref", "-d", name, check=False)
