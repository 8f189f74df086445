"""A browser's half of the terminal's socket, without a browser: frames and acknowledgements."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class SocketClosed(Exception):
    """The server ended the socket; `code` is its close code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class RawSocket:
    """A WebSocket: messages in and out, blocking."""

    def __init__(self, port: int, path: str, headers: dict[str, str], timeout: float = 20) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self.status = self._shake_hands(port, path, headers)

    def _shake_hands(self, port: int, path: str, headers: dict[str, str]) -> int:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {headers.get('Host') or f'127.0.0.1:{port}'}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in headers.items() if name != "Host"),
        ]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            chunk = self.connection.recv(65536)
            if not chunk:
                raise SocketClosed(0)
            self._buffer += chunk
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        return int(head.split(b" ", 2)[1])

    def send(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, size)
        self.connection.sendall(head + b"\0\0\0\0" + payload)  # a mask of zeros leaves the payload as it is

    def receive(self, timeout: float | None = 20) -> tuple[int, bytes]:
        """The next message. Raises TimeoutError and SocketClosed."""
        self.connection.settimeout(timeout)
        while True:
            message = self._parse()
            if message is None:
                chunk = self.connection.recv(1 << 20)
                if not chunk:
                    raise SocketClosed(0)
                self._buffer += chunk
            elif message[0] == CLOSE:
                raise SocketClosed(struct.unpack("!H", message[1][:2])[0] if message[1] else 1005)
            elif message[0] == PING:
                self.send(PONG, message[1])
            elif message[0] in (TEXT, BINARY):
                return message

    def _parse(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 127, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, start = struct.unpack_from("!H", buffer, 2)[0], 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, start = struct.unpack_from("!Q", buffer, 2)[0], 10
        if len(buffer) < start + size:
            return None
        kind, payload = buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return kind, payload

    def close(self) -> None:
        self.connection.close()


class TerminalClient:
    """What the terminal page does with its socket."""

    def __init__(self, port: int, path: str, cookie: str, **query: Any) -> None:
        headers = {"Origin": f"http://127.0.0.1:{port}", "Cookie": cookie}
        self.socket = RawSocket(port, f"{path}?{urlencode(query)}", headers)
        self.frames: list[bytes | dict[str, Any]] = []
        "All that came, in its order."
        self.acknowledges = True
        self.shown = self._told = 0

    def take(self, timeout: float = 20) -> bytes | dict[str, Any]:
        """The next frame; bytes are acknowledged as the page does."""
        kind, payload = self.socket.receive(timeout)
        frame: bytes | dict[str, Any] = payload if kind == BINARY else json.loads(payload)
        self.frames.append(frame)
        if isinstance(frame, bytes):
            self.shown += len(frame)
            if self.acknowledges:
                self.acknowledge()
        return frame

    def acknowledge(self) -> None:
        if self.shown != self._told:
            self._told = self.shown
            self.say(t="ack", n=self.shown)

    def until(self, condition: Callable[[TerminalClient], Any], timeout: float = 20) -> TerminalClient:
        """Read until something is true. Raises TimeoutError with what came last."""
        deadline = time.monotonic() + timeout
        while not condition(self):
            try:
                self.take(max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(f"not within {timeout} s; last: {self.frames[-3:]!r:.600}") from None
        return self

    def until_text(self, text: str, timeout: float = 20) -> TerminalClient:
        """Read until these words are among the bytes."""
        return self.until(lambda client: text.encode() in client.output[-1_000_000:], timeout)

    def until_message(self, kind: str, timeout: float = 20) -> dict[str, Any]:
        """The newest JSON frame of a kind, once one came."""
        self.until(lambda client: client.messages(kind), timeout)
        return self.messages(kind)[-1]

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if isinstance(frame, dict) and frame["t"] == kind]

    @property
    def output(self) -> bytes:
        return b"".join(frame for frame in self.frames if isinstance(frame, bytes))

    def drain(self, silence: float = 0.3) -> None:
        """Read until nothing came for that many seconds."""
        while True:
            try:
                self.take(silence)
            except TimeoutError:
                return

    def say(self, **message: Any) -> None:
        self.socket.send(TEXT, json.dumps(message).encode())

    def type(self, data: bytes) -> None:
        self.socket.send(BINARY, data)

    def close(self) -> None:
        self.socket.close()
