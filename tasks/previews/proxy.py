"""Serves requests to the names of previews. None of them reaches the app."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import time

import h11
from channels.db import database_sync_to_async

from aitask.lib import preview_hosts
from aitask.lib.exchange import Exchange, Headers
from aitask.lib.preview_hosts import PreviewHost
from tasks.previews import grants, headers, pages
from tasks.previews.gate import Closing, gate
from tasks.previews.grants import PATH, Allowed
from tasks.previews.upstream import ProgramEnded, Upstream
from workspaces import hosts
from workspaces.hosts import HostError
from workspaces.hosts.tunnel import REFUSED

log = logging.getLogger(__name__)

REUSABLE = (b"GET", b"HEAD", b"OPTIONS")
"""Methods that may be repeated if a kept connection turns out to be closed."""
NOT_PASSED = (b"CONNECT", b"TRACE")
KEPT_SECONDS = 3.0
"""How long a connection to a program is kept: Node closes its own after five seconds."""
MOST_KEPT = 20
"""Connections to one port that are kept. Browsers open six, proxies in front of the app more."""
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

PoolKey = tuple[int, str]
"""Grant and address: connections are not shared by users."""


class Unavailable(Exception):
    """The program can't be shown now."""

    def __init__(self, notice: pages.PreviewNotice) -> None:
        super().__init__(notice.reason)
        self.notice = notice


class IdleUpstreams:
    """Idle connections to programs."""

    def __init__(self) -> None:
        self._idle: dict[PoolKey, list[tuple[float, Upstream]]] = {}

    def take(self, key: PoolKey) -> Upstream | None:
        now, idle = time.monotonic(), self._idle.get(key, [])
        while idle:
            since, upstream = idle.pop()
            if not upstream.has_ended and now - since < KEPT_SECONDS:
                return upstream
            upstream.close()
        return None

    def give(self, key: PoolKey, upstream: Upstream) -> None:
        idle = self._idle.setdefault(key, [])
        if len(idle) >= MOST_KEPT or not upstream.renew():
            upstream.close()
            return
        idle.append((time.monotonic(), upstream))
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._expire, key)

    def _expire(self, key: PoolKey) -> None:
        now, idle = time.monotonic(), self._idle.get(key, [])
        for since, upstream in list(idle):
            if now - since >= KEPT_SECONDS - 0.1 or upstream.has_ended:
                idle.remove((since, upstream))
                upstream.close()
        if not idle:
            self._idle.pop(key, None)


_kept = IdleUpstreams()


async def serve(exchange: Exchange) -> None:
    """Answer one request."""
    host = preview_hosts.parse(exchange.values(b"host"))
    if host is None:
        pages.respond_text(exchange, 421, "There is no preview of this name.\n")
        return
    if exchange.method in NOT_PASSED or not exchange.target.startswith((b"/", b"*")):
        pages.respond_text(exchange, 405, "Previews don't pass this request on.\n")
        return
    if exchange.target.startswith(f"{PATH}open/".encode()):
        await _open(exchange, host)
        return
    is_socket = exchange.header(b"upgrade").lower() == b"websocket"
    if not headers.is_own_request(exchange.headers, host, is_socket=is_socket):
        pages.respond_text(exchange, 403, "Only pages of this preview can send this request.\n")
        return
    cookies = headers.cookies_of(exchange.values(b"cookie"), headers.cookie_name(host))
    await _pass(exchange, host, cookies, is_socket=is_socket)


async def _open(exchange: Exchange, host: PreviewHost) -> None:
    """Exchange the token in the address for a cookie. One that has been used leads to the open preview."""
    token = exchange.target.decode("latin-1").removeprefix(f"{PATH}open/")
    if exchange.method != b"GET":
        pages.respond_text(exchange, 405, "Open this address in a browser.\n")
        return
    cookie = await database_sync_to_async(grants.redeem)(token, host)
    if cookie:
        pages.redirect(exchange, "/", headers.set_cookie(host, cookie))
    elif await _allowed(exchange, host):
        pages.redirect(exchange, "/")
    else:
        pages.respond(exchange, pages.not_open(host))


async def _allowed(exchange: Exchange, host: PreviewHost) -> Allowed | None:
    cookies = headers.cookies_of(exchange.values(b"cookie"), headers.cookie_name(host))
    return await gate().allowed(cookies, host)


async def _pass(exchange: Exchange, host: PreviewHost, cookies: tuple[str, ...], *, is_socket: bool) -> None:
    """Check the grant, and pass the request on for as long as it lasts."""
    allowed = await gate().allowed(cookies, host)
    if allowed is None:
        pages.respond(exchange, pages.not_open(host))
        return
    if exchange.target.startswith(PATH.encode()):
        await _tell_state(exchange, allowed)
        return
    task = asyncio.current_task()
    closing = Closing(cookies, host, lambda: task and task.cancel())
    if not gate().add(closing):
        pages.respond_text(exchange, 503, "Too many requests of this preview are open.\n")
        return
    try:
        await _pass_on(exchange, host, allowed, is_socket=is_socket)
    except Unavailable as error:
        pages.respond(exchange, error.notice)
    except asyncio.CancelledError:
        exchange.abort()
        raise
    finally:
        gate().remove(closing)


async def _tell_state(exchange: Exchange, allowed: Allowed) -> None:
    """Answer a page that waits: whether it can show more."""
    try:
        upstream = await _connect(allowed)
    except Unavailable as error:
        pages.respond_text(exchange, 200, error.notice.state)
    else:
        upstream.close()
        pages.respond_text(exchange, 200, "ready")


async def _connect(allowed: Allowed) -> Upstream:
    """Return a new connection to the port. Raises Unavailable."""
    try:
        for address in await gate().addresses(allowed):
            upstream = Upstream()
            with contextlib.suppress(Refusal):
                await _connect_at(upstream, allowed, address)
                gate().trust(allowed)
                return upstream
    except HostError as error:
        gate().doubt(allowed)
        raise Unavailable(_notice(allowed, error)) from error
    gate().doubt(allowed)
    raise Unavailable(pages.waiting(allowed.port, allowed.host_label))


class Refusal(Exception):
    """Nothing listens at an address."""


async def _connect_at(upstream: Upstream, allowed: Allowed, address: str) -> None:
    try:
        await upstream.connect(hosts.get(allowed.address), address, allowed.port)
    except HostError as error:
        if error.code == REFUSED:
            raise Refusal from error
        raise


def _notice(allowed: Allowed, error: HostError) -> pages.PreviewNotice:
    if error.retryable:
        return pages.lost(allowed.host_label, error.reason)
    return pages.PreviewNotice("failed", 502, error.reason, error.hint)


async def _pass_on(exchange: Exchange, host: PreviewHost, allowed: Allowed, *, is_socket: bool) -> None:
    key = (allowed.grant, host.name)
    is_repeatable = exchange.method in REUSABLE and not exchange.has_body and not is_socket
    # Whether the port is still the task's is asked also for a connection that was kept.
    kept = _kept.take(key) if is_repeatable and await _is_there(allowed) else None
    if kept:
        try:
            await _talk(exchange, host, kept, key, is_socket=False)
            return
        except (ProgramEnded, h11.RemoteProtocolError):
            kept.close()
            if exchange.has_started:
                exchange.abort()
                return
    upstream = await _connect(allowed)
    try:
        await _talk(exchange, host, upstream, key, is_socket=is_socket)
    except (ProgramEnded, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        log.debug("%s: %s", host.name, error)
        if exchange.has_started:
            exchange.abort()
        else:
            raise Unavailable(_not_http(allowed)) from error


async def _is_there(allowed: Allowed) -> bool:
    try:
        return bool(await gate().addresses(allowed))
    except HostError as error:
        raise Unavailable(_notice(allowed, error)) from error


def _not_http(allowed: Allowed) -> pages.PreviewNotice:
    return pages.PreviewNotice(
        "failed",
        502,
        f"The program on port {allowed.port} gave no answer that can be read.",
        "It closed the connection, or does not speak HTTP. Previews need HTTP, not HTTPS, on the port.",
    )


async def _talk(
    exchange: Exchange, host: PreviewHost, upstream: Upstream, key: PoolKey, *, is_socket: bool
) -> None:
    """Send the request and the answer, both while they arrive."""
    is_kept, sending = False, None
    try:
        if exchange.has_body:
            sending = asyncio.create_task(_send(exchange, host, upstream, is_socket=is_socket))
            sending.add_done_callback(lambda done: _close_failed(done, upstream))
        else:
            await _send(exchange, host, upstream, is_socket=is_socket)
        answer = await _answer(upstream)
        if isinstance(answer, h11.InformationalResponse):
            await _tunnel(exchange, host, upstream, answer)
            return
        exchange.start(
            answer.status_code, answer.reason, headers.to_browser(answer.headers.raw_items(), host)
        )
        while isinstance(event := await upstream.next_event(), h11.Data):
            await exchange.write(bytes(event.data))
        exchange.end()
        is_kept = sending is None or (sending.done() and not sending.exception())
    finally:
        if sending:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, h11.LocalProtocolError):
                await sending
        if is_kept:
            _kept.give(key, upstream)
        else:
            upstream.close()


def _close_failed(sending: asyncio.Task[None], upstream: Upstream) -> None:
    """Let nobody wait for the answer to a request that can't be sent."""
    if not sending.cancelled() and sending.exception():
        upstream.closed("")


async def _answer(upstream: Upstream) -> h11.Response | h11.InformationalResponse:
    """Return the head of the final answer, or that of an upgrade."""
    while True:
        event = await upstream.next_event()
        if isinstance(event, h11.Response):
            return event
        if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            return event


async def _send(exchange: Exchange, host: PreviewHost, upstream: Upstream, *, is_socket: bool) -> None:
    passed, length = headers.to_program(exchange.headers, host), exchange.header(b"content-length")
    if is_socket:
        passed += _upgrade()
    if length:
        passed.append((b"Content-Length", length))
    elif exchange.has_body:
        passed.append((b"Transfer-Encoding", b"chunked"))
    await upstream.ask(exchange.method, exchange.target, passed, is_socket=is_socket)
    while chunk := await exchange.read():
        await upstream.send(chunk if length else b"%x\r\n%s\r\n" % (len(chunk), chunk))
    if exchange.has_body and not length:
        await upstream.send(b"0\r\n\r\n")


async def _tunnel(
    exchange: Exchange, host: PreviewHost, upstream: Upstream, answer: h11.InformationalResponse
) -> None:
    """Connect a WebSocket of the browser with the program, byte by byte."""
    key = exchange.header(b"sec-websocket-key")
    expected = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID, usedforsecurity=False).digest())
    given = [value for name, value in answer.headers if name == b"sec-websocket-accept"]
    if exchange.method != b"GET" or exchange.has_body or not key or given != [expected]:
        raise h11.RemoteProtocolError("The upgrade is not one of a WebSocket.")
    passed = [*headers.to_browser(answer.headers.raw_items(), host), *_upgrade()]
    browser = exchange.upgrade(b"HTTP/1.1 101 Switching Protocols", passed)
    ended = asyncio.Event()
    try:
        upstream.become_raw(browser.write, lambda paused: browser.let_flow(not paused), ended.set)
        browser.listen(upstream.write_raw, lambda paused: upstream.let_flow(not paused), ended.set)
        await ended.wait()
    finally:
        browser.close()


def _upgrade() -> Headers:
    return [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")]
