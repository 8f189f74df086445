"""One connection to the program on a port: HTTP/1.1 as a stream in both directions. h11 reads the answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

import h11

from aitask.lib.chunks import Chunks
from aitask.lib.exchange import Headers
from workspaces.hosts import HostConnection
from workspaces.hosts.tunnel import Tunnel, open_tunnel

BEGINNING = b"HTTP/"
MOST_HEAD = 64 * 1024
"""Bytes of the headers of an answer."""

HEAD = re.compile(rb"[!-~]+ [!-~]+ HTTP/1\.1\r\n(?:[!-~]+: [^\0\r\n]*\r\n)+\r\n")
"""The head of a request, and nothing behind it."""

Event = h11.Response | h11.InformationalResponse | h11.Data | h11.EndOfMessage


def _asked(method: str, *headers: tuple[str, str]) -> h11.Request:
    return h11.Request(method=method, target="/", headers=[("Host", "localhost"), *headers])


HAS_BODY, HAS_NONE = _asked("GET"), _asked("HEAD")
MAY_SWITCH = _asked("GET", ("Connection", "Upgrade"), ("Upgrade", "websocket"))
"""What h11 has to know of a request to read its answer. All headers would take it longer than that."""


class ProgramEnded(Exception):
    """The program has closed the connection before its answer was complete."""


class Upstream:
    """Used on the loop of the web server. It receives from its tunnel."""

    def __init__(self) -> None:
        self._tunnel: Tunnel | None = None
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
        self._answer = Chunks(self.let_flow)
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.has_ended = False
        self._beginning = b""
        "The first bytes of the answer that is being read, as they came: h11 waits for whole lines."
        self._on_data: Callable[[bytes], None] | None = None
        self._on_pause: Callable[[bool], None] = lambda _: None
        self._on_end: Callable[[], None] = lambda: None

    async def connect(self, host: HostConnection, address: str, port: int) -> None:
        """Raises HostError."""
        self._tunnel = await open_tunnel(host, address, port, self)

    async def ask(self, method: bytes, target: bytes, headers: Headers, *, is_socket: bool = False) -> None:
        """Send the head of a request, with the header that says where its body ends, if it has one.

        Raises h11.LocalProtocolError if that would be anything else.
        """
        lines = [b"%s %s HTTP/1.1" % (method, target), *(b"%s: %s" % header for header in headers)]
        head = b"\r\n".join([*lines, b"\r\n"])
        if not HEAD.fullmatch(head) or head.count(b"\r\n") != len(lines) + 1:
            raise h11.LocalProtocolError("This is no head of a request.")
        self._http.send(MAY_SWITCH if is_socket else HAS_NONE if method == b"HEAD" else HAS_BODY)
        self._http.send(h11.EndOfMessage())
        await self.send(head)

    async def send(self, data: bytes) -> None:
        """Send a part of a request; wait while the program does not read."""
        if self._tunnel:
            self._tunnel.write(data)
        if not self._may_write.is_set():
            await self._may_write.wait()

    async def next_event(self) -> Event:
        """Return the next part of the answer. Raises h11.RemoteProtocolError and ProgramEnded."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                chunk = await self._answer.read()
                if len(self._beginning) < len(BEGINNING):
                    self._beginning = (self._beginning + chunk)[: len(BEGINNING)]
                    if not BEGINNING.startswith(self._beginning):
                        raise h11.RemoteProtocolError("It does not speak HTTP.")
                self._http.receive_data(chunk)
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise ProgramEnded
            else:
                return cast(Event, event)

    def become_raw(
        self, on_data: Callable[[bytes], None], on_pause: Callable[[bool], None], on_end: Callable[[], None]
    ) -> None:
        """After an upgrade: pass on what arrives, whether the program reads, and that it has ended."""
        self._on_data, self._on_pause, self._on_end = on_data, on_pause, on_end
        early, _ = self._http.trailing_data
        for data in (early, *self._answer.take_all()):
            if data:
                on_data(data)
        if self.has_ended:
            on_end()

    def write_raw(self, data: bytes) -> None:
        if self._tunnel:
            self._tunnel.write(data)

    def let_flow(self, flows: bool) -> None:
        """Read from the program, or don't."""
        if self._tunnel:
            (self._tunnel.resume_reading if flows else self._tunnel.pause_reading)()

    def renew(self) -> bool:
        """Prepare for another request; False if the connection can't have one."""
        is_done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if self.has_ended or self._answer or not is_done or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._beginning = b""
        return True

    def close(self) -> None:
        self.has_ended = True
        self._answer.complete()
        if self._tunnel:
            self._tunnel.close()

    # Called by the tunnel:

    def data_received(self, data: bytes) -> None:
        if self._on_data:
            self._on_data(data)
        else:
            self._answer.feed(data)

    def closed(self, reason: str) -> None:
        self.has_ended = True
        self._answer.complete()
        self._may_write.set()
        self._on_end()

    def pause_writing(self) -> None:
        self._may_write.clear()
        self._on_pause(True)

    def resume_writing(self) -> None:
        self._may_write.set()
        self._on_pause(False)
