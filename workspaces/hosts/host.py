"""The connection to one host: synchronous, thread-safe, and reconnects automatically."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from workspaces.hostkit.wire import ExecParams, Hello, Json, TailParams
from workspaces.hosts import local
from workspaces.hosts.address import Address
from workspaces.hosts.bootstrap import Kit
from workspaces.hosts.errors import HostError
from workspaces.hosts.hub import hub
from workspaces.hosts.link import Keepalive, Link
from workspaces.hosts.stream import Stream
from workspaces.hosts.verbs import Verbs

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a failed connection is tried again: doubled at each failure, with jitter."""
CONNECT_SECONDS = 120.0
"""The longest time that connecting may take in total."""
SETTLED_SECONDS = 10.0
"""Repeated links that last less than this count as failed attempts."""
PARTS_AT_ONCE = 3
"""Parts of files that are sent to the host at the same time, by all uploads together."""
ANSWER_MARGIN = 5.0
"""Seconds added to a command's own timeout, which the host enforces."""


@dataclass(frozen=True)
class Completed:
    """The result of a command on a host. Bytes that are not UTF-8 are surrogate escapes."""

    rc: int
    out: str
    err: str
    truncated: bool = False


class BackOff:
    """Decides when a failed connection may be tried again."""

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self.error: HostError | None = None

    def failed(self, error: HostError) -> None:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._not_before = time.monotonic() + pause * random.uniform(0.7, 1.3)  # noqa: S311
        self.error = error

    def reset(self) -> None:
        """Forget earlier failures, after the connection has worked for a while."""
        self._failures, self._not_before, self.error = 0, 0.0, None

    def check(self) -> None:
        """Raise the last error if it is too early to try again; its data has the seconds as next_try_in."""
        pause = self._not_before - time.monotonic()
        if self.error and pause > 0:
            last = self.error
            raise HostError(
                last.reason,
                last.hint,
                code=last.code,
                retryable=last.retryable,
                data={**last.data, "next_try_in": pause},
            )


class HostConnection(Verbs):
    """The connection to one machine, which all callers in this process share."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.key = address.key
        self.keepalive = Keepalive()
        self._last_heard: float | None = None
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget the connection without closing it: in a forked child it belongs to the parent."""
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._back_off = BackOff()
        self._short_links = 0
        self.upload_slots = threading.BoundedSemaphore(PARTS_AT_ONCE)

    def update(self, address: Address) -> None:
        """Use newly accepted host keys, and allow a new attempt at once if there are any."""
        if address.accepted_keys != self.address.accepted_keys:
            self.address = address
            self._back_off = BackOff()

    @property
    def label(self) -> str:
        """The name for pages and messages."""
        return "this machine" if self.address.kind == "local" else self.key.removeprefix("ssh:")

    @property
    def connected(self) -> bool:
        return self._link is not None and self._link.lost is None

    @property
    def last_heard(self) -> float | None:
        """When the last data came from the host (epoch seconds); None if there was none."""
        return self._link.last_heard if self._link else self._last_heard

    def hello(self, *, force: bool = False, timeout: float = CONNECT_SECONDS) -> Hello:
        """Return hostkit's hello. Opens the link if needed; `force` ignores the back-off.

        After `timeout` seconds the attempt goes on without this caller. Raises HostError.
        """
        return self._run(self._open_within(timeout, force)).hello.copy()

    def ask(self, verb: str, params: Mapping[str, Any], timeout: float) -> Any:
        return self._run(self._call(verb, dict(params), timeout))

    def begin(self, verb: str, params: Mapping[str, Any], timeout: float) -> Future[Any]:
        """Send a request without waiting for its answer, which `result` does."""
        return hub().start(self._call(verb, dict(params), timeout))

    def result(self, future: Future[T]) -> T:
        """Wait for the answer of a request that was begun. Raises HostError."""
        return hub().result(future)

    def exists(self, path: str) -> bool:
        """Return whether a file or folder exists. Raises HostError."""
        return bool(self.call("stat", {"path": path})["exists"])

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float = 30.0,
        check: bool = True,
    ) -> Completed:
        """Run a command without a shell. With `check`, raise HostError for a status other than 0."""
        params: ExecParams = {"argv": list(argv), "env": dict(env or {}), "timeout": timeout}
        if cwd is not None:
            params["cwd"] = cwd
        if stdin is not None:
            params["stdin"] = stdin
        answer = self.call("exec", params, timeout=timeout + ANSWER_MARGIN)
        done = Completed(answer["rc"], answer["out"], answer["err"], answer["truncated"])
        if check and done.rc:
            raise command_failed(argv, done)
        return done

    def stream(self, verb: Literal["tail"], params: TailParams) -> Stream:
        """Open a stream of items from hostkit. Raises HostError if the host can't be reached."""
        stream = Stream(self._run(self._open()), self._run)
        self._run(stream.open(verb, {**params}))
        return stream

    async def link(self) -> Link:
        """Return the open link, for code on the hub's loop. Raises HostError."""
        return await self._open()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        self._run(self._close())

    async def give_up_link(self, reason: str) -> None:
        """Close the link, and allow a new attempt at once. Called on the hub's loop."""
        if self._connecting:
            self._connecting.cancel()
        if self._link:
            await self._link.close(reason)
        self._back_off, self._short_links = BackOff(), 0

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return hub().run(work)

    async def _call(self, verb: str, params: Json, timeout: float) -> Any:
        deadline = time.monotonic() + timeout
        link = await self._open_within(timeout)
        return await link.call(verb, params, max(0.1, deadline - time.monotonic()))

    async def _open_within(self, timeout: float, force: bool = False) -> Link:
        try:
            async with asyncio.timeout(timeout):
                return await self._open(force)
        except TimeoutError:
            raise HostError(
                f"{self.label} could not be reached within {timeout:g} s.", code="timeout", retryable=True
            ) from None

    async def _open(self, force: bool = False) -> Link:
        """Return the open link. All callers wait for one attempt, which continues if a caller gives up."""
        if self._link and not self._link.lost:
            return self._link
        if self._connecting is None:
            self._note_loss()
            if not force:
                self._back_off.check()
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._connected)
        attempt = self._connecting
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            if not attempt.cancelled():
                raise
            reason = f"The connection to {self.label} was closed while it was being opened."
            raise HostError(reason, code="link_lost", retryable=True) from None

    def _note_loss(self) -> None:
        if self._link and self._link.lost:
            self._last_heard = self._link.last_heard
            settled = time.monotonic() - self._link.opened >= SETTLED_SECONDS
            self._short_links = 0 if settled else self._short_links + 1
            if settled:
                self._back_off.reset()
            elif self._short_links > 1:
                self._back_off.failed(self._link.lost)
            self._link = None

    def _connected(self, attempt: asyncio.Task[Link]) -> None:
        self._connecting = None
        if attempt.cancelled():
            return
        if (error := attempt.exception()) is None:
            self._link = attempt.result()
            self._last_heard = self._link.last_heard
        elif isinstance(error, HostError):
            self._back_off.failed(error)

    async def _connect(self) -> Link:
        from workspaces import hostkit_build

        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if self.address.kind == "local":
                    kit = Kit(*hostkit_build.build_for_this_machine())
                    return await local.connect(kit, self.keepalive)
                from workspaces.hosts import ssh  # slow to import, and not needed for this machine only

                return await ssh.connect(self.address, Kit(*hostkit_build.build()), self.keepalive)
        except TimeoutError:
            reason = f"{self.label} could not be reached within {CONNECT_SECONDS:g} s."
            hint = "An ssh agent may be waiting for a confirmation of the key's use."
            raise HostError(reason, hint, code="timeout", retryable=True) from None

    async def _close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        if self._link:
            await self._link.close()
            self._link = None
        self._back_off = BackOff()


def command_failed(argv: Sequence[str], done: Completed) -> HostError:
    """Return the error of a failed command, with the end of its output."""
    lines = (done.err.strip() or done.out.strip()).splitlines()
    output = " ".join(line.strip() for line in lines[-3:])[-600:]
    reason = f"{argv[0]} failed with status {done.rc}" + (f": {output}" if output else ".")
    data = {"argv": list(argv), "rc": done.rc, "out": done.out, "err": done.err}
    return HostError(reason, code="remote_failed", data=data)
