"""The worker, which runs the jobs of the queue in threads of one process."""

from __future__ import annotations


def run() -> None:
    """Run jobs until a signal asks for a stop. Exits with status 70 if a new process has to take over."""
    from aitask.worker.cluster import ThreadSentinel

    ThreadSentinel.run()
