"""Jobs of conversations."""

from __future__ import annotations

import queue
import threading

_due: queue.SimpleQueue[int] = queue.SimpleQueue()
_sender: threading.Thread | None = None


def push(attention_id: int) -> None:
    """Send a notification to the browsers that subscribed to it.

    In a thread: the workers also start runs, which must not wait for a slow push service.
    """
    global _sender
    _due.put(attention_id)
    if _sender is None or not _sender.is_alive():
        _sender = threading.Thread(target=_send_all, name="push", daemon=True)
        _sender.start()


def _send_all() -> None:
    import logging

    from django.db import connections

    from tasks.conversation import web_push  # imports cryptography, which only this thread needs

    while True:
        attention_id = _due.get()
        try:
            web_push.send(attention_id)
        except Exception:
            logging.getLogger(__name__).exception("notification %s was not sent", attention_id)
        finally:
            connections.close_all()
