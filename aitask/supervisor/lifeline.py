"""Runs a module like `python -m` as a child of `up`, and ends with its parent.

The parent holds the other end of standard input. When it closes, the parent has ended, even if it was killed,
and this process kills its whole group. The module itself gets an empty standard input. In the other
direction, a NUL in the output, which is in no log, is a heartbeat.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
import time

from aitask.lib import heartbeat

BEAT = b"\0"
BEAT_SECONDS = 2.0
INTERRUPTED = 130
"The exit status of programs that end by Ctrl-C."


def beat() -> None:
    """Send heartbeats to `up` from now on."""
    threading.Thread(target=_beat, name="heartbeat", daemon=True).start()


def _beat() -> None:
    with contextlib.suppress(OSError):  # nobody reads any more
        while True:
            if heartbeat.is_due():
                os.write(1, BEAT)
            time.sleep(BEAT_SECONDS)


def watch_parent() -> None:
    """Kill this process and its group when standard input ends."""
    lifeline = os.dup(0)  # not inherited by child processes
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    threading.Thread(target=_wait_for_end, args=[lifeline], name="lifeline", daemon=True).start()


def _wait_for_end(lifeline: int) -> None:
    try:
        while os.read(lifeline, 64):
            pass
    finally:
        end_group()


def end_group() -> None:
    """Kill the process group; does not return. On Windows, child processes watch their parent themselves."""
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def stop_on_break() -> None:
    """On Windows, treat Ctrl-Break as a request to stop: there is no SIGTERM between processes."""
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, lambda *_: signal.raise_signal(signal.SIGINT))


def main() -> None:
    watch_parent()
    beat()
    stop_on_break()
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:  # it was told to stop while it was still starting
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
