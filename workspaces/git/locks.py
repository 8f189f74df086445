"""Waiting for other git processes. Their locks last for moments and end by themselves."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from workspaces.hosts import Completed

PATIENCE = 20.0
"Seconds for which another git process may be in the way."
IN_THE_WAY = re.compile(
    # A full disk or a ref that has moved is no lock, though git begins its message in the same way.
    r"(\.lock'|could not lock[^\n]*): File exists"
    # git's own race: it reads the folders of other worktrees while they are being made.
    r"|failed to read \S*/worktrees/\S+/(commondir|gitdir|HEAD)"
)


def is_locked(done: Completed) -> bool:
    """Whether git gave up because another git process was in the way."""
    return bool(done.rc) and bool(IN_THE_WAY.search(done.err))


def retry_while_locked(run: Callable[[], Completed], *, patience: float = PATIENCE) -> Completed:
    """Run git again until no other git process is in the way, or `patience` seconds are over."""
    deadline, pause = time.monotonic() + patience, 0.02
    while True:
        done = run()
        if not is_locked(done) or time.monotonic() > deadline:
            return done
        time.sleep(pause)
        pause = min(0.5, pause * 2)
