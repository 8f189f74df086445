"""Removes from Python what does not exist on Windows, for our code; put this folder on PYTHONPATH.

Libraries are not affected, because they have their own code for Windows. Only `os.fork` is removed for all.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BLOCKED = {"fcntl", "pty", "termios", "resource", "grp", "pwd", "tty"}
OURS = Path(__file__).resolve().parents[3]
HOST_SIDE = OURS / "workspaces" / "hostkit"
LIBRARIES = OURS / ".venv"

real_import = builtins.__import__


def guarded_import(name: str, importer: Mapping[str, Any] | None = None, *rest: Any, **named: Any) -> Any:
    """Import a module like on Windows, if our code imports it."""
    if name.partition(".")[0] in BLOCKED:
        folders = Path((importer or {}).get("__file__") or "").parents
        if OURS in folders and not {HOST_SIDE, LIBRARIES} & set(folders):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real_import(name, importer, *rest, **named)


builtins.__import__ = guarded_import  # type: ignore[assignment]
for missing in ("fork", "forkpty", "register_at_fork"):
    delattr(os, missing)
