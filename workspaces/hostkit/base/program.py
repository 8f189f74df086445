"""The program of a CLI on disk: whether it has changed, and which version it is. Nothing is started."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import List, Optional

from ..files import loads

VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
PARENTS = 3
"""How many folders above a program can have its package.json."""
MAX_MANIFEST = 1 << 20


def fingerprint(files: List[Path]) -> str:
    """Return a hash that changes when one of these files changes, appears or disappears."""
    states = []
    for path in files:
        try:
            stat = path.stat()
            states.append([str(path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns])
        except OSError:
            states.append([str(path)])
    return hashlib.sha256(repr(states).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def version_on_disk(files: List[Path]) -> Optional[str]:
    """Return the version in the package.json of a program, or in its name; None if there is none."""
    for path in files:
        real = path.resolve()
        for folder in list(real.parents)[:PARENTS]:
            version = _version_in(folder / "package.json")
            if version:
                return version
        if VERSION.fullmatch(real.name):  # as ~/.local/share/claude/versions/2.1.332
            return real.name
    return None


def _version_in(manifest: Path) -> Optional[str]:
    try:
        if manifest.stat().st_size > MAX_MANIFEST:
            return None
        found = loads(manifest.read_bytes())
    except (OSError, ValueError):
        return None
    version = found.get("version") if isinstance(found, dict) and found.get("bin") else None
    return version if isinstance(version, str) and VERSION.fullmatch(version) else None
