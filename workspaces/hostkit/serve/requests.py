"""A request in progress, and the failures of verbs."""

from __future__ import annotations

import threading
from typing import Any, Callable, List

from ..wire import FailureKind, Json

Send = Callable[[bytes], None]


class RequestFailure(Exception):
    """An expected failure. `kind` is one of not_found, permission, timeout, exists, bad_request, failed."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def failure_of(error: Exception) -> RequestFailure:
    """Convert any exception of a verb to the failure that is sent."""
    if isinstance(error, RequestFailure):
        return error
    if isinstance(error, FileNotFoundError):
        return RequestFailure("not_found", str(error))
    if isinstance(error, PermissionError):
        return RequestFailure("permission", str(error))
    if isinstance(error, FileExistsError):
        return RequestFailure("exists", str(error))
    if isinstance(error, KeyError):
        return RequestFailure("bad_request", f"parameter missing: {error}")
    if isinstance(error, (TypeError, ValueError)):
        return RequestFailure("bad_request", f"{type(error).__name__}: {error}")
    return RequestFailure("failed", f"{type(error).__name__}: {error}")


class Request:
    """A request that a thread works on."""

    def __init__(self, number: Any, verb: str, params: Json, send: "Callable[[Any, bytes], None]") -> None:
        self.number = number
        self.verb = verb
        self.params = params
        self.inbox: List[Json] = []
        self._send = send
        self._lock = threading.Lock()
        self._cancelled = False
        self._wake: List[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def item(self, encoded: bytes) -> None:
        """Send one item of a stream, which is already encoded as JSON."""
        self._send(self.number, encoded)

    def on_change(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the request is cancelled or receives a message; immediately if it already has."""
        with self._lock:
            self._wake.append(wake)
            pending = self._cancelled or bool(self.inbox)
        if pending:
            wake()

    def cancel(self) -> None:
        self._cancelled = True
        self._changed()

    def deliver(self, message: Json) -> None:
        with self._lock:
            self.inbox.append(message)
        self._changed()

    def read_inbox(self) -> List[Json]:
        with self._lock:
            messages, self.inbox = self.inbox, []
        return messages

    def _changed(self) -> None:
        with self._lock:
            wake = list(self._wake)
        for call in wake:
            call()
