"""The web server refuses bodies above its limit, and survives connections that never send a request."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from aitask.tests.lab.app import App
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.server

SENTENCE = "the limit is 1 MB"


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """Only a web process, with a limit of 1 MB."""
    with App({"MAX_REQUEST_MB": "1"}) as application:
        application.start_role("web")
        application.wait_until_it_answers()
        yield application


def answer(app: App, head: str, body: bytes = b"", *, chunked: bool = False) -> bytes:
    """Send a request by hand, and return the answer up to the end of a refusal."""
    with socket.create_connection(("127.0.0.1", app.port), timeout=20) as connection:
        connection.sendall(f"{head}\r\nHost: 127.0.0.1:{app.port}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(body), 65_536):
                part = body[start : start + 65_536]
                connection.sendall(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        found = b""
        with contextlib.suppress(ConnectionError):
            while b"MAX_REQUEST_MB" not in found and (part := connection.recv(65_536)):
                found += part
        return found


def test_a_long_body_is_refused_by_its_length_alone(app: App) -> None:
    """No byte of the body is sent."""
    began = time.monotonic()
    found = answer(app, "POST /login HTTP/1.1\r\nContent-Length: 1000001")
    assert found.startswith(b"HTTP/1.1 413 ")
    assert SENTENCE in found.decode()
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("path", ["/login", "/api/tasks", "/push/subscribe", "/nowhere"])
def test_a_chunked_body_is_refused_while_it_is_counted(app: App, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked"
    found = answer(app, head, b"x" * 3_000_000, chunked=True)
    assert found.startswith(b"HTTP/1.1 413 ")
    assert SENTENCE in found.decode()


def test_a_sender_that_reads_only_at_the_end_gets_the_reason(app: App) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=20)
    connection.request("POST", "/login", body=b"x" * 20_000_000)
    response = connection.getresponse()
    assert response.status == 413
    assert SENTENCE in response.read().decode()


def test_a_body_below_the_limit_reaches_the_app(app: App) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=20)
    host = {"Host": f"aitask.localhost:{app.port}"}
    connection.request("POST", "/login", body=b"x" * 999_999, headers=host)
    assert connection.getresponse().status == 403  # the CSRF check


def test_a_client_that_asks_first_is_not_told_to_go_on(app: App) -> None:
    head = "PUT /login HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999999"
    assert b"100 Continue" not in answer(app, head)


@pytest.mark.slow
def test_connections_without_a_request_do_not_lock_others_out(app: App) -> None:
    """1,500 at once, some silent, some in the middle of a header."""
    with contextlib.ExitStack() as opened:
        for number in range(1500):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", app.port), timeout=20))
            if number % 2:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
            if number == 1000:
                assert health(app) == 200
        wait_for(lambda: health(app) == 200, 5, "an answer while the connections are open")


def health(app: App) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        return connection.getresponse().status
