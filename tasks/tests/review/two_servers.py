"""A program: one server's worker, which rides the trains that it is told; used by test_two_servers.

`python -m tasks.tests.review.two_servers NAME PATIENCE TRAIN…`. NAME is what the server calls itself, so that
others take it for another machine; PATIENCE are the seconds that it stays with one check.
"""

from __future__ import annotations

import socket
import sys
import time

import django

SECONDS = 60.0


def main(name: str, patience: float, trains: list[int]) -> None:
    """Until all trains have ended, or somebody kills us."""
    socket.gethostname = lambda: name
    from tasks.models import MergeTrain
    from tasks.trains import jobs

    print("ready", flush=True)
    deadline = time.monotonic() + SECONDS
    live = MergeTrain.objects.filter(pk__in=trains, state__in=MergeTrain.LIVE)
    while live.exists() and time.monotonic() < deadline:
        for train in trains:
            jobs.run_train(train, patience=patience)
        time.sleep(0.02)


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1], float(sys.argv[2]), [int(word) for word in sys.argv[3:]])
