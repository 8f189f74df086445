"""Runs one verb of Spotlight, and kills the process before its n-th change of a file or folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workspaces.hostkit.git import places
from workspaces.hostkit.spotlight import journal
from workspaces.hostkit.spotlight.checkout import CanNot, Checkout
from workspaces.hostkit.spotlight.commands import CheckoutSpotlight

CALLS = ("rename", "link", "symlink", "unlink", "mkdir", "rmdir", "chmod")
_left = 0


def counted(call: Callable[..., Any]) -> Callable[..., Any]:
    def changed(*args: Any, **options: Any) -> Any:
        global _left
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)

    return changed


def main(kill_at: int, top: str, verb: str, *args: str) -> int:
    global _left
    place = places.find(top)
    assert place
    spotlight = CheckoutSpotlight(Checkout(place))
    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    journal.write_atomic = counted(journal.write_atomic)  # type: ignore[attr-defined]
    _left = kill_at
    try:
        if verb == "show":
            spotlight.show(args[0], {"installation": "test", "task": "1"})
        else:
            spotlight.back()
    except CanNot as error:
        print(error, error.paths, file=sys.stderr)
        return 3
    return 0 if _left < 0 or not kill_at else 4  # 4: it made fewer changes


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
