"""What passes between a browser and the program of a preview."""

from __future__ import annotations

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from aitask.lib.exchange import Headers
from aitask.lib.preview_hosts import PreviewHost
from tasks.previews import headers

HOST = PreviewHost("t12", 5173, "t12-5173.preview.localhost:8000")
ORIGIN = HOST.origin.encode()
NAME = django_settings.PREVIEW_COOKIE_NAME


def sent(*given: tuple[str, str]) -> dict[str, str]:
    passed = headers.to_program([(name.encode(), value.encode()) for name, value in given], HOST)
    return {name.decode(): value.decode() for name, value in passed}


def answered(name: str, value: str) -> str | None:
    passed = dict(headers.to_browser([(name.encode(), value.encode())], HOST))
    return passed[name.encode()].decode() if name.encode() in passed else None


def test_a_program_is_told_of_its_own_address() -> None:
    assert sent(("Host", HOST.name), ("Origin", HOST.origin), ("Referer", f"{HOST.origin}/a?b")) == {
        "Host": "localhost:5173",
        "Origin": "http://localhost:5173",
        "Referer": "http://localhost:5173/a?b",
    }
    assert sent(("Origin", "https://evil.example"))["Origin"] == "https://evil.example"
    assert sent(("Referer", f"{HOST.origin}.evil.example/"))["Referer"] == f"{HOST.origin}.evil.example/"


@pytest.mark.parametrize(
    "name", ["Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"]
)
def test_headers_of_one_connection_are_not_passed_on(name: str) -> None:
    assert name not in sent((name, "x"))
    assert answered(name, "x") is None


def test_neither_are_those_that_connection_names() -> None:
    assert sent(("Connection", "close, X-Secret"), ("X-Secret", "1"), ("X-Other", "2")).keys() == {
        "Host",
        "X-Other",
    }


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via"])
def test_what_proxies_add_is_not_passed_on(name: str) -> None:
    assert sent((name, "10.0.0.1")) == {"Host": "localhost:5173"}


def test_a_program_never_gets_a_cookie_of_the_app() -> None:
    cookies = f"a=1; {NAME}=grant; aitask_session_x=s; __Host-aitask_preview_y=t; AITASK_z=u; b=2; flag"
    assert sent(("Cookie", cookies))["Cookie"] == "a=1; b=2; flag"
    assert "Cookie" not in sent(("Cookie", f"{NAME}=grant"), ("Cookie", f" {NAME} = grant"))
    assert "grant" not in str(sent(("Cookie", f'a="1; {NAME}=grant"')))


@pytest.mark.parametrize(
    "name", ["aitask_session_1", NAME, "__Host-aitask_preview_1", "__secure-AITASK_x", " aitask_x"]
)
def test_a_program_can_not_set_a_cookie_of_the_app(name: str) -> None:
    assert answered("Set-Cookie", f"{name}=1; Path=/") is None
    assert answered("Set-Cookie", f"={name}=1; Path=/") is None


def test_a_cookie_is_for_the_host_name_of_the_preview_only() -> None:
    for domain in ("localhost", ".preview.localhost", "example.com"):
        assert answered("Set-Cookie", f"a=1; Domain={domain}; HttpOnly") == "a=1; HttpOnly"
    assert answered("Set-Cookie", "a=1;domain =localhost;Path=/") == "a=1;Path=/"
    assert answered("Set-Cookie", "a=1; SameSite=Strict") == "a=1; SameSite=Strict"


@pytest.mark.parametrize("name", ["Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "NEL"])
def test_an_answer_changes_nothing_beyond_its_origin(name: str) -> None:
    assert answered(name, '"cookies"') is None


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://localhost:5173/login?next=/", f"{HOST.origin}/login?next=/"),
        ("http://127.0.0.1:5173/", f"{HOST.origin}/"),
        ("http://[::1]:5173", HOST.origin),
        ("//localhost:5173/a#b", f"{HOST.origin}/a#b"),
        ("http://localhost:3000/", "http://t12-3000.preview.localhost:8000/"),
        ("/relative", "/relative"),
        ("https://example.com/", "https://example.com/"),
        ("http://localhost.evil.example:5173/", "http://localhost.evil.example:5173/"),
        ("http://localhost:99999/", "http://localhost:99999/"),
        ("http://[", "http://["),
    ],
)
def test_absolute_redirects_stay_in_previews(location: str, shown: str) -> None:
    assert answered("Location", location) == shown


def test_the_program_may_allow_its_own_origin() -> None:
    name = "Access-Control-Allow-Origin"
    assert answered(name, "http://localhost:5173") == HOST.origin
    assert answered(name, "*") == "*"


def test_a_length_beside_chunks_is_left_out() -> None:
    given = [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"), (b"A", b"b")]
    assert headers.to_browser(given, HOST) == [(b"A", b"b")]


def own(*given: tuple[bytes, bytes], is_socket: bool = False) -> bool:
    return headers.is_own_request(list(given), HOST, is_socket=is_socket)


def visit(**changed: bytes) -> Headers:
    given = {"site": b"cross-site", "mode": b"navigate", "dest": b"document", **changed}
    return [(f"Sec-Fetch-{name}".encode(), value) for name, value in given.items()]


def test_only_its_own_pages_call_a_preview() -> None:
    assert own()
    assert own((b"Sec-Fetch-Site", b"same-origin"), (b"Origin", ORIGIN))
    assert own((b"Sec-Fetch-Site", b"none"))
    assert own(*visit())
    assert not own(*visit(), (b"Origin", b"http://t13-80.preview.localhost:8000"))
    assert not own(*visit(site=b"same-site", dest=b"iframe"))
    assert not own(*visit(site=b"same-site", mode=b"no-cors", dest=b"script"))
    assert not own((b"Sec-Fetch-Site", b"same-site"), (b"Sec-Fetch-Mode", b"cors"))
    assert not own((b"Origin", b"http://t13-5173.preview.localhost:8000"))
    assert not own((b"Origin", b"null"))


def test_a_socket_needs_the_origin_of_the_preview() -> None:
    assert own((b"Origin", ORIGIN), is_socket=True)
    for other in (
        b"http://t12-5173.preview.localhost",
        b"null",
        b"http://aitask.localhost:8000",
        ORIGIN + b".evil",
    ):
        assert not own((b"Origin", other), is_socket=True)
    assert not own(is_socket=True)
    assert not own((b"Origin", ORIGIN), (b"Origin", b"http://evil.example"), is_socket=True)


def test_with_https_the_cookie_can_not_be_replaced(settings: Settings) -> None:
    settings.PREVIEW_DOMAIN = "preview.example.com"
    secure = PreviewHost("t12", 5173, "t12-5173.preview.example.com")
    cookie = headers.set_cookie(secure, "x").decode()
    assert cookie == f"__Host-{NAME}=x; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert headers.set_cookie(HOST, "x").decode() == f"{NAME}=x; Path=/; HttpOnly; SameSite=Lax"


def test_all_cookies_of_the_name_are_looked_at() -> None:
    given = [f"{NAME}=planted; a=1".encode(), f"{NAME}=mine".encode()]
    assert headers.cookies_of(given, NAME) == ("planted", "mine")
