"""Remembers answers of helpers, so that nothing is computed twice, and what took too long not tried again."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from typing import Any, NamedTuple

FOREVER = float("inf")


class RememberedAnswer(NamedTuple):
    """The value, its size in characters, and until when it counts (monotonic seconds)."""

    value: Any
    size: int
    until: float


class Answers:
    """The most recently used answers, up to a total size. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._answers: OrderedDict[bytes, RememberedAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> RememberedAnswer | None:
        with self._lock:
            found = self._answers.get(key)
            if found is None or found.until < time.monotonic():
                return None
            self._answers.move_to_end(key)
            return found

    def put(self, key: bytes, value: Any, *, seconds: float = FOREVER) -> None:
        size = len(json.dumps(value)) + 200
        with self._lock:
            self._drop(key)
            self._answers[key] = RememberedAnswer(value, size, time.monotonic() + seconds)
            self._size += size
            while self._size > self._most and len(self._answers) > 1:
                self._drop(next(iter(self._answers)))

    def _drop(self, key: bytes) -> None:
        old = self._answers.pop(key, None)
        self._size -= old.size if old else 0


def key_of(operation: str, arguments: tuple[str, ...]) -> bytes:
    digest = hashlib.blake2b(digest_size=20)
    for text in (operation, *arguments):
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
