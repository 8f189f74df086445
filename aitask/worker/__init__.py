"""The worker: django-q's cluster, which always goes on.

Where processes can be forked, its members are processes (`cluster`), elsewhere threads of one process
(`threads`). Both are ended and started again as a whole when that is the only way to go on. So jobs may run
twice, and are written for that.
"""

from __future__ import annotations

import os


def run() -> None:
    """Run the worker until SIGTERM, SIGINT or, on Windows, Ctrl-Break."""
    if hasattr(os, "fork"):
        from aitask.worker.cluster import Cluster

        Cluster().run()
    else:
        from aitask.worker.threads import ThreadSentinel

        ThreadSentinel.run()
