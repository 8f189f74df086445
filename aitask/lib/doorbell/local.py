"""Rings for SQLite: datagrams on loopback, and slow polling of the database for those that get lost.

Every account of the machine may send datagrams to a port. Ours begin with a code that only processes with
the installation's secret key can compute; others are ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import socket
import sqlite3
import threading
import time
from pathlib import Path

from aitask.lib.doorbell.transport import OnPayload, Resync

POLL_SECONDS = 0.25
REGISTER_SECONDS = 60.0
STALE_SECONDS = 600.0
LARGEST_DATAGRAM = 2048
CODE = 16
"""Bytes of the code that a datagram begins with."""


class LocalTransport:
    """Each listener has an empty file named after its UDP port. A stale file is harmless."""

    def __init__(self, folder: Path, database: Path | None, secret: bytes) -> None:
        self._folder = folder
        self._secret = secret
        self._database = database
        self._own_port = 0
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.setblocking(False)

    def send(self, payload: bytes) -> None:
        payload = self._code(payload) + payload
        for port in self._ports():
            if port != self._own_port:
                # The listener has ended, or its buffer is full of rings already.
                with contextlib.suppress(OSError):
                    self._sender.sendto(payload, ("127.0.0.1", port))

    def listen(self, on_payload: OnPayload, resync: Resync, stopping: threading.Event) -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            contextlib.closing(_Watch(self._database)) as watch,
        ):
            receiver.bind(("127.0.0.1", 0))
            self._own_port = receiver.getsockname()[1]
            try:
                self._receive(receiver, watch, on_payload, resync, stopping)
            finally:
                self._file(self._own_port).unlink(missing_ok=True)

    def _receive(
        self,
        receiver: socket.socket,
        watch: _Watch,
        on_payload: OnPayload,
        resync: Resync,
        stopping: threading.Event,
    ) -> None:
        self._register()
        resync()
        registered = polled = time.monotonic()
        while not stopping.is_set():
            now = time.monotonic()
            if now >= registered + REGISTER_SECONDS:
                registered = now
                self._register()
            if now >= polled + POLL_SECONDS:
                polled = now
                if watch.changed():
                    resync()
            receiver.settimeout(max(0.001, polled + POLL_SECONDS - now))
            # Windows reports here that an earlier datagram was sent to a closed port.
            with contextlib.suppress(OSError):
                self._take(receiver.recv(LARGEST_DATAGRAM), on_payload)

    def _take(self, datagram: bytes, on_payload: OnPayload) -> None:
        """Pass on what a process of this installation has sent."""
        code, payload = datagram[:CODE], datagram[CODE:]
        if hmac.compare_digest(code, self._code(payload)):
            on_payload(payload)

    def _code(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, hashlib.sha256)[:CODE]

    def _file(self, port: int) -> Path:
        return self._folder / f"{port}.port"

    def _ports(self) -> list[int]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 (three times as fast, and this runs at each ring)
        except FileNotFoundError:
            return []
        stems = (name.removesuffix(".port") for name in names if name.endswith(".port"))
        return [int(stem) for stem in stems if stem.isdecimal()]

    def _register(self) -> None:
        """Register our port, repeatedly: after a suspend another process may have removed it as stale."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file(self._own_port).touch()
        for port in self._ports():
            with contextlib.suppress(OSError):
                if time.time() - self._file(port).stat().st_mtime > STALE_SECONDS:
                    self._file(port).unlink()


class _Watch:
    """Reports whether another connection has committed since the last call."""

    def __init__(self, database: Path | None) -> None:
        # Autocommit: inside a transaction the version would not change.
        self._connection = sqlite3.connect(database, isolation_level=None, timeout=5) if database else None
        self._last_version = self._version()

    def changed(self) -> bool:
        before, self._last_version = self._last_version, self._version()
        return before != self._last_version

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _version(self) -> int:
        if self._connection is None:
            return 0
        row: tuple[int] = self._connection.execute("PRAGMA data_version").fetchone()
        return row[0]
