"""The interface of a doorbell's transport."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

OnPayload = Callable[[bytes], None]
Resync = Callable[[], None]


class Transport(Protocol):
    """Carries small payloads between the processes of one installation; may lose or duplicate them."""

    def send(self, payload: bytes) -> None:
        """Send to all listeners. Raises if that fails."""

    def listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
        """Block until `stopping` is set. Raises if the connection fails.

        `on_payload` gets each payload; `resync` is called when payloads may have been lost, and at the start.
        """
