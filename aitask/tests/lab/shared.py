"""What takes seconds to make and is the same for all tests: the first process makes it, the others use it.

The processes of a test run share a folder, `AITASK_TEST_SHARED`, which `.ci/test` keeps for all its steps.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "AITASK_TEST_SHARED"


def folder() -> Path:
    """Return the shared folder. If there is none yet, make one for this process and its children."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="aitask-shared-")
        atexit.register(shutil.rmtree, os.environ[VARIABLE], ignore_errors=True)
    shared = Path(os.environ[VARIABLE])
    shared.mkdir(mode=0o700, exist_ok=True)
    return shared


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name`, which `make` has filled once. Others wait meanwhile."""
    made = folder() / name
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            begun = Path(tempfile.mkdtemp(dir=folder()))
            make(begun)
            begun.rename(made)
    return made
