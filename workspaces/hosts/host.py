"""The facade of one host: synchronous, thread-safe, reconnecting by itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine, Mapping, Sequence
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
"""Seconds before a host that failed is tried again: doubled at each failure, with jitter."""
CONNECT_SECONDS = 120.0
"""Whatever a connection waits for, it does not wait longer."""
SETTLED_SECONDS = 10.0
"""Links that live less long, one after another, count as failed attempts."""
ANSWER_MARGIN = 5.0
"""Seconds granted beyond a command's own timeout, which the host enforces."""


@dataclass(frozen=True)
class Completed:
    """How a command on a host ended. Bytes that are no UTF-8 are surrogate escapes."""

    rc: int
    out: str
    err: str
    truncated: bool = False


class BackOff:
    """When a host that failed may be tried again."""

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self.error: HostError | None = None

    def failed(self, error: HostError) -> None:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self._not_before = time.monotonic() + pause * random.uniform(0.7, 1.3)  # noqa: S311
        self.error = error

    def forgive(self) -> None:
        """It has worked for a while: the next failure is a first one."""
        self._failures, self._not_before, self.error = 0, 0.0, None

    def check(self) -> None:
        """Raise the last error when it is too early to try again; data tells the seconds as next_try_in."""
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
    """One machine, by one connection that all callers of this process share."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.key = address.key
        self.keepalive = Keepalive()
        self._heard: float | None = None
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the connection without touching it, as a forked child must."""
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._back_off = BackOff()
        self._short_lives = 0

    def update(self, address: Address) -> None:
        """Take over newly accepted host keys; they make a new attempt worthwhile at once."""
        if address.accepted_keys != self.address.accepted_keys:
            self.address = address
            self._back_off = BackOff()

    @property
    def label(self) -> str:
        """What a person calls it."""
        return "this machine" if self.address.kind == "local" else self.key.removeprefix("ssh:")

    @property
    def connected(self) -> bool:
        return self._link is not None and self._link.lost is None

    @property
    def last_heard(self) -> float | None:
        """When the host last said anything (epoch seconds); None when it never did."""
        return self._link.last_heard if self._link else self._heard

    def hello(self, *, force: bool = False) -> Hello:
        """What hostkit said of the host when the link was opened; opens it. `force` ignores the back-off."""
        return self._run(self._open(force)).hello.copy()

    def ask(self, verb: str, params: Mapping[str, Any], timeout: float) -> Any:
        return self._run(self._call(verb, dict(params), timeout))

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder at the path. Raises HostError."""
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
        """Run a command on the host, no shell between. With `check`, a status other than 0 is a HostError."""
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
        """Ask hostkit for a stream of items. Raises HostError when the host can't be reached."""
        stream = Stream(self._run(self._open()), self._run)
        self._run(stream.open(verb, {**params}))
        return stream

    async def link(self) -> Link:
        """The open link, for who works on the hub's loop. Raises HostError."""
        return await self._open()

    def close(self) -> None:
        """End the connection; the next call opens a new one."""
        self._run(self._close())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return hub().run(work)

    async def _call(self, verb: str, params: Json, timeout: float) -> Any:
        deadline = time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                link = await self._open()
        except TimeoutError:
            raise HostError(
                f"{self.label} could not be reached within {timeout:g} s.", code="timeout", retryable=True
            ) from None
        return await link.call(verb, params, max(0.1, deadline - time.monotonic()))

    async def _open(self, force: bool = False) -> Link:
        """The living link. All who need it wait for the one attempt, which outlives those who give up."""
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
            reason = f"The connection to {self.label} was closed while it was opened."
            raise HostError(reason, code="link_lost", retryable=True) from None

    def _note_loss(self) -> None:
        if self._link and self._link.lost:
            self._heard = self._link.last_heard
            settled = time.monotonic() - self._link.opened >= SETTLED_SECONDS
            self._short_lives = 0 if settled else self._short_lives + 1
            if settled:
                self._back_off.forgive()
            elif self._short_lives > 1:
                self._back_off.failed(self._link.lost)
            self._link = None

    def _connected(self, attempt: asyncio.Task[Link]) -> None:
        self._connecting = None
        if attempt.cancelled():
            return
        if (error := attempt.exception()) is None:
            self._link = attempt.result()
            self._heard = self._link.last_heard
        elif isinstance(error, HostError):
            self._back_off.failed(error)

    async def _connect(self) -> Link:
        from workspaces import hostkit_build

        kit = Kit(*hostkit_build.build())
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if self.address.kind == "local":
                    return await local.connect(kit, self.keepalive)
                from workspaces.hosts import ssh  # a fifth of a start: not for who works on this machine only

                return await ssh.connect(self.address, kit, self.keepalive)
        except TimeoutError:
            reason = f"{self.label} could not be reached within {CONNECT_SECONDS:g} s."
            hint = "An ssh agent may be waiting for somebody to confirm the use of a key."
            raise HostError(reason, hint, code="timeout", retryable=True) from None

    async def _close(self) -> None:
        if self._connecting:
            self._connecting.cancel()
        if self._link:
            await self._link.close()
            self._link = None
        self._back_off = BackOff()


def command_failed(argv: Sequence[str], done: Completed) -> HostError:
    """The failure of a command, with the end of what it said."""
    words = (done.err.strip() or done.out.strip()).splitlines()
    said = " ".join(line.strip() for line in words[-3:])[-600:]
    reason = f"{argv[0]} failed with status {done.rc}" + (f": {said}" if said else ".")
    data = {"argv": list(argv), "rc": done.rc, "out": done.out, "err": done.err}
    return HostError(reason, code="remote_failed", data=data)
