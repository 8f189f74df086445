"""Web Push against a push service of our own on loopback, which checks it, and read as the browser would."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from py_vapid import Vapid02

from tasks.conversation import jobs, notifications, push_addresses, web_push
from tasks.conversation.push_addresses import PushAddress
from tasks.models import Attention, PushKey, PushSubscription, Run
from tasks.tests.factories import make_run, make_task, make_user, make_workspace

pytestmark = pytest.mark.django_db
AUTH = b"0123456789abcdef"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Service:
    """Notes what is sent to it and answers `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 201
        self.location = ""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(service.status)
                if service.location:
                    self.send_header("Location", service.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/push/1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service()

    def plain(address: PushAddress, seconds: float) -> http.client.HTTPConnection:
        """The service is on loopback, without HTTPS."""
        return http.client.HTTPConnection(address.host, address.port, timeout=seconds)

    port = int(made.url.split(":")[2].split("/")[0])
    monkeypatch.setattr(push_addresses, "parse", lambda _url: PushAddress("127.0.0.1", port, "/push/1"))
    monkeypatch.setattr(push_addresses, "connect", plain)
    yield made
    made.close()


@pytest.fixture
def browser_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def run() -> Run:
    user = make_user("olga")
    return make_run(task=make_task(workspace=make_workspace(owner=user), title="Paint it"), state="running")


def point_of(key: ec.EllipticCurvePrivateKey) -> str:
    return b64(
        key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    )


def subscribe(run: Run, service: Service, key: ec.EllipticCurvePrivateKey, *kinds: str) -> PushSubscription:
    fields = {"endpoint": service.url, "p256dh": point_of(key), "auth": b64(AUTH), "kinds": list(kinds)}
    return PushSubscription.objects.create(user=run.task.workspace.owner, **fields)


def ended(run: Run, state: str = "succeeded") -> Attention:
    Run.objects.filter(pk=run.pk).update(state=state)
    run.refresh_from_db()
    notifications.note_end(run)
    return Attention.objects.get(run=run)


def test_the_browser_can_read_it_and_the_service_knows_who_sent_it(
    run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey
) -> None:
    subscribe(run, service, browser_key, "finished")
    web_push.send(ended(run).pk)
    [(headers, body)] = service.got
    message = json.loads(
        http_ece.decrypt(body, private_key=browser_key, auth_secret=AUTH, version="aes128gcm")
    )
    assert (message["title"], message["url"]) == ("A run has finished: Paint it", f"/tasks/{run.task_id}")
    assert headers["content-encoding"] == "aes128gcm"
    assert Vapid02.verify(headers["authorization"])
    assert f"k={web_push.public_key()}" in headers["authorization"]


def test_it_is_told_once_and_only_to_who_wants_it(
    run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey
) -> None:
    subscribe(run, service, browser_key, "failed")
    row = ended(run)
    web_push.send(row.pk)
    assert service.got == []
    again = Attention.objects.create(run=run, kind="failed")
    web_push.send(again.pk)
    web_push.send(again.pk)
    assert len(service.got) == 1


def test_strangers_hear_nothing(run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey) -> None:
    subscription = subscribe(run, service, browser_key, "finished")
    PushSubscription.objects.filter(pk=subscription.pk).update(user=make_user("eve"))
    web_push.send(ended(run).pk)
    assert service.got == []


def test_what_was_answered_meanwhile_is_not_told(
    run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey
) -> None:
    subscribe(run, service, browser_key, "needs_you")
    row = Attention.objects.create(run=run, kind="needs_you", subject="r1")
    web_push.send(row.pk)
    assert service.got == []


@pytest.mark.parametrize(("status", "left"), [(410, 0), (404, 0), (500, 1)])
def test_a_browser_that_is_gone_is_forgotten_and_trouble_is_noted(
    run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey, status: int, left: int
) -> None:
    subscribe(run, service, browser_key, "finished")
    service.status = status
    web_push.send(ended(run).pk)
    kept = list(PushSubscription.objects.all())
    assert len(kept) == left
    assert all(str(status) in each.trouble for each in kept)


def test_one_browser_that_can_not_be_told_keeps_it_from_no_other(
    run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey
) -> None:
    broken = subscribe(run, service, browser_key, "finished")
    PushSubscription.objects.filter(pk=broken.pk).update(endpoint=f"{service.url}/broken", p256dh="no key")
    subscribe(run, service, browser_key, "finished")
    web_push.send(ended(run).pk)
    assert len(service.got) == 1
    broken.refresh_from_db()
    assert broken.trouble


def test_a_service_that_names_another_address_is_not_followed(
    run: Run, service: Service, browser_key: ec.EllipticCurvePrivateKey
) -> None:
    other = Service()
    service.status, service.location = 302, other.url
    subscription = subscribe(run, service, browser_key, "finished")
    web_push.send(ended(run).pk)
    other.close()
    assert (len(service.got), other.got) == (1, [])
    subscription.refresh_from_db()
    assert "302" in subscription.trouble


class DripSocket:
    """A service that answers one byte at a time and never ends."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        connection.sendall(b"HTTP/1.1 201 Created\r\nX-Long: ")
        try:
            while not self._closed.wait(0.05):
                connection.sendall(b"x")
        except OSError:
            pass

    def close(self) -> None:
        self._closed.set()
        self._listener.close()


def test_slow_services_share_one_deadline_and_delay_no_other(
    run: Run,
    service: Service,
    browser_key: ec.EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drips = [DripSocket() for _ in range(5)]
    good = subscribe(run, service, browser_key, "finished")
    port = int(good.endpoint.split(":")[2].split("/")[0])
    fields = {"user": good.user, "p256dh": good.p256dh, "auth": good.auth, "kinds": ["finished"]}
    for drip in drips:
        PushSubscription.objects.create(endpoint=f"https://drip.example/{drip.port}", **fields)

    def parse(url: str) -> PushAddress:
        return PushAddress("127.0.0.1", int(url.split("/")[3]) if "drip" in url else port, "/")

    monkeypatch.setattr(push_addresses, "parse", parse)
    monkeypatch.setattr(web_push, "SEND_SECONDS", 1)
    began = time.monotonic()
    web_push.send(ended(run).pk)
    assert time.monotonic() - began < web_push.ALL_SECONDS
    assert len(service.got) == 1
    assert PushSubscription.objects.exclude(trouble="").count() == 5
    for drip in drips:
        drip.close()


def test_a_name_is_resolved_once_and_that_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes between check and call (DNS rebinding) gains nothing."""
    answers = iter(["93.184.216.34", "127.0.0.1"])
    called: list[str] = []

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 443))]

    def refuse(address: tuple[str, int], **_: Any) -> socket.socket:
        called.append(address[0])
        raise ConnectionRefusedError

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", refuse)
    address = push_addresses.parse("https://rebind.example/x")
    with pytest.raises(ConnectionRefusedError):
        push_addresses.connect(address, 1)
    assert called == ["93.184.216.34"]
    with pytest.raises(ValueError, match="not public"):
        push_addresses.connect(address, 1)
    assert called == ["93.184.216.34"]


def test_a_worker_hands_it_to_a_thread_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that never returns, or fails, keeps no worker from starting runs."""
    sent: list[int] = []
    first, done = threading.Event(), threading.Event()

    def send(attention_id: int) -> None:
        first.wait(10)
        sent.append(attention_id)
        if attention_id == 1:
            raise ZeroDivisionError
        done.set()

    monkeypatch.setattr(web_push, "send", send)
    jobs.push(1)
    jobs.push(2)
    assert sent == []
    first.set()
    assert done.wait(10)
    assert sent == [1, 2]


def test_the_key_is_made_once() -> None:
    assert web_push.public_key() == web_push.public_key()
    assert PushKey.objects.count() == 1


def test_a_run_that_a_person_has_cancelled_is_no_news(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state="cancelled")
    run.refresh_from_db()
    notifications.note_end(run)
    assert not Attention.objects.exists()


class TestSubscribing:
    POINT = point_of(ec.generate_private_key(ec.SECP256R1()))

    def send(
        self, client: Client, endpoint: str, *kinds: str, p256dh: str = POINT, auth: str = b64(AUTH)
    ) -> int:
        subscription = {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}
        body = {"subscription": subscription, "kinds": list(kinds)}
        return client.post("/push/subscribe", body, content_type="application/json").status_code

    def test_a_browser_is_kept_with_its_kinds_and_forgotten_without(self, client: Client) -> None:
        client.force_login(make_user("olga"))
        assert self.send(client, "https://push.example.org/1", "failed", "nonsense") == 204
        assert PushSubscription.objects.get().kinds == ["failed"]
        self.send(client, "https://push.example.org/1")
        assert not PushSubscription.objects.exists()

    @pytest.mark.parametrize(
        "endpoint",
        [
            *("http://127.0.0.1:22/", "http://push.example.org/1", "file:///etc/passwd", "x", "https://", ""),
            *("https://127.0.0.1/", "https://localhost/x", "https://10.1.2.3/", "https://169.254.169.254/"),
            *(
                "https://127.0.0.1:8443\\@93.184.216.34/x",
                "https://a@93.184.216.34/",
                "https://a:b@push.example/",
            ),
            *("https://224.0.0.251/", "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/", "https://0/"),
            *("https://[ff02::1]/", "https://[fd00::1]/", "https://[fe80::1%25lo]/", "https://127.1/"),
            *(
                "https://push.example.org/a b",
                "https://push.example.org\n/",
                "https://push.example.org/#a\tb",
            ),
            *("https://push.example.org?x@127.0.0.1/", "https://0x7f000001/", "https://push.example.org:0/"),
            *("https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://2130706433/", "https://a:99999/"),
            f"https://push.example.org/{'x' * 1000}",
        ],
    )
    def test_only_services_on_the_internet_are_called_and_by_https(
        self, client: Client, endpoint: str
    ) -> None:
        client.force_login(make_user("olga"))
        assert self.send(client, endpoint, "failed") == 400

    def test_a_user_has_at_most_twenty_browsers(self, client: Client) -> None:
        client.force_login(make_user("olga"))
        for number in range(20):
            assert self.send(client, f"https://push.example.org/{number}", "failed") == 204
        assert self.send(client, "https://push.example.org/19", "finished") == 204  # one of the twenty
        assert self.send(client, "https://push.example.org/20", "failed") == 409
        assert PushSubscription.objects.count() == 20

    @pytest.mark.parametrize("keys", [{"p256dh": "p"}, {"p256dh": b64(b"x" * 65)}, {"auth": "short"}])
    def test_keys_that_no_browser_makes_are_refused(self, client: Client, keys: dict[str, str]) -> None:
        client.force_login(make_user("olga"))
        assert self.send(client, "https://push.example.org/1", "failed", **keys) == 400

    def test_the_worker_is_served_at_the_root(self, client: Client) -> None:
        client.force_login(make_user("olga"))
        answer = client.get("/worker.js")
        assert answer["Content-Type"].startswith("text/javascript")
        assert b"push" in answer.content
