"""Puts the files of a restored backup in place: all of them, even if the process is killed in the middle.

A plan is written first, in one step. From then on the restore is decided: whoever opens the installation next
completes it before anything else. Every step may be repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

PLAN = "restoring.json"
LOCK = "restore.lock"
LOCK_SECONDS = 60.0


def decide(data_dir: Path, staging: Path, moves: list[tuple[Path, Path]], remove: list[Path]) -> None:
    """Write the plan: remove some files, then rename others (from, to). `staging` is removed at the end."""
    plan = {
        "staging": str(staging),
        "remove": [str(path) for path in remove],
        "moves": [[str(source), str(target)] for source, target in moves],
    }
    temporary = data_dir / f".{PLAN}.new"
    with temporary.open("w") as out:
        out.write(json.dumps(plan))
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(data_dir / PLAN)


def finish(data_dir: Path) -> bool:
    """Complete a restore that was decided; return whether there was one. Raises OSError."""
    if not (data_dir / PLAN).exists():
        return False
    with _locked(data_dir):
        try:
            plan = json.loads((data_dir / PLAN).read_text())
        except FileNotFoundError:  # another process has completed it
            return True
        for name in plan["remove"]:
            Path(name).unlink(missing_ok=True)
        for source, target in plan["moves"]:
            if Path(source).exists():
                Path(target).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                Path(source).replace(target)
        (data_dir / PLAN).unlink()
        shutil.rmtree(plan["staging"], ignore_errors=True)
    return True


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Use SQLite for a portable file lock; nothing is stored in the file."""
    lock = sqlite3.connect(data_dir / LOCK, isolation_level=None, timeout=LOCK_SECONDS)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()
