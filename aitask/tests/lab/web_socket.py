"""A socket of the web process, opened in this process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import sys
from typing import Any

from channels.testing import WebsocketCommunicator

from aitask.lib import doorbell

ORIGIN, HOST = (b"origin", b"http://localhost:8000"), (b"host", b"localhost:8000")
PATIENCE = 30.0


class Socket(WebsocketCommunicator):
    """Waits as long as a busy machine needs: who gives up while a query waits for this thread blocks it."""

    async def receive_output(self, timeout: float = PATIENCE) -> Any:
        waiting = asyncio.ensure_future(super().receive_output(2 * PATIENCE))
        done, _ = await asyncio.wait([waiting], timeout=max(timeout, PATIENCE))
        if not done:
            raise AssertionError(f"the socket says nothing; it waits here:\n{self._stack()}")
        return waiting.result()

    async def close_code(self) -> int:
        """The code that it is closed with; what it says before is passed over."""
        while (output := await self.receive_output())["type"] != "websocket.close":
            pass
        return int(output["code"])

    def _stack(self) -> str:
        lines = io.StringIO()
        for task in asyncio.all_tasks():
            task.print_stack(file=lines)
        with contextlib.suppress(ValueError):  # A test that hangs for its whole time shows it at least.
            print(lines.getvalue(), file=sys.__stderr__, flush=True)
        return lines.getvalue()


@functools.cache
def start_listening() -> None:
    """The first subscription of a process brings a look at everything, which no test here is about."""
    if doorbell._hub._thread is None:  # an earlier test of this process may have subscribed already
        with doorbell.subscribe([]) as subscription:
            subscription.wait_blocking(20)
