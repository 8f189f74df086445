"""Retries of git commands while another git process holds a lock, which lasts for moments only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from workspaces.hosts import Completed

PATIENCE = 20.0
"Seconds to wait for another git process."
LOCKED = re.compile(
    # "File exists" is needed: git starts its message in the same way when a disk is full or a ref moved.
    r"(\.lock'|could not lock[^\n]*): File exists"
    # A race in git: it reads the folders of other worktrees while they are being created.
    r"|failed to read \S*/worktrees/\S+/(commondir|gitdir|HEAD)"
)


def is_locked(done: Completed) -> bool:
    """Return whether git failed because another git process held a lock."""
    return bool(done.rc) and bool(LOCKED.search(done.err))


def retry_while_locked(run: Callable[[], Completed], *, patience: float = PATIENCE) -> Completed:
    """Run git until no other git process holds a lock, or until `patience` seconds have passed."""
    deadline, pause = time.monotonic() + patience, 0.02
    while True:
        done = run()
        if not is_locked(done) or time.monotonic() > deadline:
            return done
        time.sleep(pause)
        pause = min(0.5, pause * 2)
