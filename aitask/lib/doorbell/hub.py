"""The listener thread of a process, and the subscriptions that it wakes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType

from aitask.lib import untrusted_json
from aitask.lib.doorbell.choice import choose
from aitask.lib.doorbell.transport import Transport

log = logging.getLogger(__name__)

ANYTHING = "*"
MAX_PAYLOAD = 1000  # bytes; a longer list of topics is replaced by "*"
RETRY_SECONDS = (0.2, 1.0, 5.0)


class Subscription:
    """The rings of some topics since the last wait. Rings between two waits are kept and coalesced.

    The topic "task:*" stands for all that begin with "task:".
    """

    def __init__(self, hub: Doorbell, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self.closed = False
        self._hub = hub
        self._rung: set[str] = set()
        self._lock = threading.Lock()
        self._wake: Callable[[], object] | None = None

    def belongs_to(self, hub: Doorbell) -> bool:
        return self._hub is hub

    def deliver(self, topics: frozenset[str]) -> None:
        """Record a ring and wake the waiter. Called by the doorbell, from any thread."""
        wanted = self.topics | {ANYTHING}
        matching = {topic for topic in topics if topic in wanted or f"{topic.partition(':')[0]}:*" in wanted}
        if not matching:
            return
        with self._lock:
            self._rung |= matching
            wake = self._wake
        self._call(wake)

    async def wait(self, timeout: float | None = None) -> frozenset[str]:
        """Return the topics rung since the last wait; empty after `timeout` seconds, or if it is closed."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        if not self._arm(lambda: loop.call_soon_threadsafe(event.set)):
            # Not wait_for: in Python 3.11, it loses a cancel that comes in the same turn as the ring.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await event.wait()
        return self._take()

    def wait_blocking(self, timeout: float | None = None) -> frozenset[str]:
        """Do the same as `wait` in a thread."""
        event = threading.Event()
        if not self._arm(event.set):
            event.wait(timeout)
        return self._take()

    def close(self) -> None:
        """End the subscription, and wake its waiter."""
        self._hub.forget(self)
        with self._lock:
            self.closed = True
            wake = self._wake
        self._call(wake)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, wake: Callable[[], object] | None) -> None:
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # the waiting loop is closed
                wake()

    def _arm(self, wake: Callable[[], object]) -> bool:
        """Set the function to wake by; return whether there is nothing to wait for."""
        with self._lock:
            self._wake = wake
            return self.closed or bool(self._rung)

    def _take(self) -> frozenset[str]:
        with self._lock:
            self._wake = None
            rung, self._rung = frozenset(self._rung), set()
        return rung


class Doorbell:
    """The doorbell of one process; its listener starts with the first subscription."""

    def __init__(self, make_transport: Callable[[], Transport] = choose) -> None:
        self._make_transport = make_transport
        self._transport: Transport | None = None
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._id = uuid.uuid4().hex[:12]

    def subscribe(self, topics: Iterable[str]) -> Subscription:
        subscription = Subscription(self, topics)
        with self._lock:
            self._subscriptions.add(subscription)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="doorbell", daemon=True)
                self._thread.start()
        return subscription

    def forget(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)

    def ring(self, topics: Iterable[str]) -> None:
        """Wake this process and send the ring to the others; never raises."""
        rung = frozenset(topics)
        self._deliver(rung)
        try:
            self._ready_transport().send(self._encode(rung))
        except Exception as error:
            log.warning("doorbell: could not send %s to other processes: %s", ", ".join(sorted(rung)), error)

    def stop(self) -> None:
        """End the listener thread. For tests; a process just exits."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def _ready_transport(self) -> Transport:
        with self._lock:
            if self._transport is None:
                self._transport = self._make_transport()
            return self._transport

    def _listen(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                # Earlier rings may be lost, so all subscribers are woken once.
                self._ready_transport().listen(
                    self._receive, lambda: self._deliver(frozenset({ANYTHING})), self._stopping
                )
                failures = 0
            except Exception as error:
                log.warning("doorbell: listening failed, trying again: %s", error)
                self._stopping.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _deliver(self, topics: frozenset[str]) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.deliver(topics)

    def _encode(self, topics: frozenset[str]) -> bytes:
        payload = json.dumps([self._id, *sorted(topics)]).encode()
        return payload if len(payload) <= MAX_PAYLOAD else json.dumps([self._id, ANYTHING]).encode()

    def _receive(self, payload: bytes) -> None:
        """Deliver a ring of another process. Never raises: what anybody sends must not end the listener."""
        try:
            message = untrusted_json.loads(payload, depth=1) if len(payload) <= MAX_PAYLOAD else []
        except untrusted_json.Unreadable:
            return
        if isinstance(message, list) and message and message[0] != self._id:
            self._deliver(frozenset(topic for topic in message[1:] if isinstance(topic, str)))
