"""A program: our web server with one live socket, and 1,000 browsers that leave it without a word.

Prints what is left of them, as JSON: connections of the server, and its consumers. Needs `django.setup()`.
"""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from daphne.server import reactor
from daphne.ws_protocol import WebSocketFactory

from aitask.lib import doorbell
from aitask.lib.fast_socket import TEXT
from aitask.lib.sockets import LiveConsumer
from aitask.tests.lab.link import free_port
from aitask.web import DirectServer, DirectSocket

BROWSERS = 1000
AT_ONCE = 8
END_SECONDS = 60.0
KEY = base64.b64encode(bytes(16)).decode()
REQUEST = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
SAID = json.dumps({"say": "x" * 80}).encode()
FRAME = bytes((TEXT, 0x80 | len(SAID))) + bytes(4) + SAID  # masked with zeros
NO_LINGER = struct.pack("ii", 1, 0)  # closing sends RST


class Chatty(LiveConsumer):
    """Wakes with each ring, and counts itself."""

    alive = 0

    async def topics(self) -> set[str]:
        return {"board"}

    async def changed(self, topics: frozenset[str]) -> None:
        await self.push({"topics": sorted(topics)})


async def application(scope: Any, receive: Any, send: Any) -> None:
    Chatty.alive += 1
    try:
        whole: Any = {**scope, "user": None, "session": None}
        await Chatty()(whole, receive, send)
    finally:
        Chatty.alive -= 1


def visit(port: int, moment: int, chance: random.Random) -> None:
    """Leave within the request, before its answer, after it, or within a frame; by FIN or by RST."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as browser, suppress(OSError):
        if chance.random() < 0.5:
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        if moment == 0:
            browser.sendall(REQUEST[: chance.randrange(len(REQUEST))])
            return
        browser.sendall(REQUEST)
        if moment == 1:
            return
        assert browser.recv(4096).startswith(b"HTTP/1.1 101"), "no handshake"
        browser.sendall(FRAME * 3)
        if moment == 2:
            browser.recv(4096)
        elif moment == 3:
            browser.sendall(FRAME[: chance.randrange(1, len(FRAME))])


def ring(stopping: threading.Event) -> None:
    while not stopping.wait(0.001):
        doorbell.ring("board")


def visits() -> Iterator[tuple[int, random.Random]]:
    for number in range(BROWSERS):
        yield number % 5, random.Random(number)


def drive(server: DirectServer, port: int) -> None:
    stopping = threading.Event()
    threading.Thread(target=ring, args=[stopping], daemon=True).start()
    with ThreadPoolExecutor(AT_ONCE) as browsers:
        list(browsers.map(lambda each: visit(port, *each), visits()))
    stopping.set()
    deadline = time.monotonic() + END_SECONDS
    while (server.connections or Chatty.alive) and time.monotonic() < deadline:
        time.sleep(0.1)
    print(json.dumps({"connections": len(server.connections), "consumers": Chatty.alive}), flush=True)
    os._exit(0)


def main() -> None:
    port = free_port()
    WebSocketFactory.protocol = DirectSocket
    server = DirectServer(
        application,
        endpoints=[f"tcp:{port}:interface=127.0.0.1"],
        signal_handlers=False,
        application_close_timeout=2,
    )
    driver = threading.Thread(target=drive, args=[server, port], daemon=True)
    reactor.callWhenRunning(driver.start)
    server.run()
