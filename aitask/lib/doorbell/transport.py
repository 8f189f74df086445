"""How a ring reaches other processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

Heard = Callable[[bytes], None]
Look = Callable[[], None]


class Transport(Protocol):
    """Carries small payloads between the processes of one installation; may lose and double them."""

    def send(self, payload: bytes) -> None:
        """Tell everyone who listens; raises when it can't."""

    def listen(self, heard: Heard, look: Look, stopping: threading.Event) -> None:
        """Block until `stopping` is set or the way breaks, which raises.

        `heard` gets each payload; `look` is called where payloads may have been missed, as at the start.
        """
