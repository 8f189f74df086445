"""What a child of `up` runs: a module as `python -m` would, with an eye on the parent.

The parent holds the other end of standard input. When that closes, the parent is gone, however it died, and
this process ends its whole group. The module itself sees an empty standard input.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def watch_parent() -> None:
    """End this process and its group when standard input ends."""
    lifeline = os.dup(0)  # not inherited by anything that we start
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_wait_for_end, args=[lifeline], name="lifeline", daemon=True).start()


def _wait_for_end(lifeline: int) -> None:
    try:
        while os.read(lifeline, 64):
            pass
    finally:
        end_group()


def end_group() -> None:
    """Never returns. Without process groups, our own children watch us in turn."""
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def stop_on_break() -> None:
    """Where there is no SIGTERM between processes, Ctrl-Break asks for the same."""
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, lambda *_: signal.raise_signal(signal.SIGINT))


def main() -> None:
    watch_parent()
    stop_on_break()
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
