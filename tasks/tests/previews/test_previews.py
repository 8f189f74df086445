"""Previews through the real web server: what a program can do, and what a hostile one can't."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitask.tests.lab.link import free_port
from aitask.tests.lab.repos import commit_file, git
from aitask.tests.lab.wait import wait_for
from tasks.tests.previews.scene import Scene, Visitor

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]


@pytest.fixture(scope="module", params=["local", "ssh"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with Scene(ssh=request.param == "ssh") as made:
        yield made


@pytest.fixture(scope="module")
def port(scene: Scene) -> int:
    return scene.start()


@pytest.fixture(scope="module")
def visitor(scene: Scene, port: int) -> Visitor:
    return scene.visit(port)


def head_of(link: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head and (data := link.recv(4096)):
        head += data
    return head.decode()


def test_a_program_sees_a_browser_on_its_own_machine(visitor: Visitor, port: int) -> None:
    answer = visitor.get("/a%20b?c=d", X_Test="1", Cookie="own=1", Origin=visitor.origin)
    told = json.loads(answer.text)
    headers = dict(told["headers"])
    assert told["target"] == "/a%20b?c=d"
    assert headers["Host"] == f"localhost:{port}"
    assert headers["Origin"] == f"http://localhost:{port}"
    assert headers["Cookie"] == "own=1"
    assert "aitask" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_passes_with_its_body(visitor: Visitor, method: str) -> None:
    told = json.loads(visitor.get("/", method, b"x" * 100_000).text)
    assert told["method"] == method
    assert told["body"] == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_head_has_no_body(visitor: Visitor) -> None:
    answer = visitor.get("/", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_an_upload_larger_than_the_limit_of_the_app_passes(visitor: Visitor) -> None:
    parts = (b"y" * 50_000 for _ in range(200))
    told = json.loads(visitor.get("/", "POST", parts, Transfer_Encoding="chunked").text)
    assert told["body"] == hashlib.sha256(b"y" * 10_000_000).hexdigest()


def test_a_large_answer_passes_whole(visitor: Visitor) -> None:
    assert visitor.get("/large?20000000").body == b"x" * 20_000_000


def test_both_bodies_flow_at_the_same_time(scene: Scene, visitor: Visitor) -> None:
    """Each part of the request is answered before the next one is sent."""
    with socket.create_connection(("127.0.0.1", scene.app.port), timeout=60) as link:
        lines = ("POST /stream HTTP/1.1", f"Host: {visitor.host}", f"Cookie: {visitor.cookie}")
        link.sendall("\r\n".join((*lines, "Transfer-Encoding: chunked", "", "")).encode())
        seen = b""
        for size in (3, 5, 7):
            link.sendall(b"%x\r\n%s\r\n" % (size, b"z" * size))
            while b"data: %d" % size not in seen:
                seen += link.recv(4096)
        link.sendall(b"0\r\n\r\n")
        while b"data: end" not in seen:
            seen += link.recv(4096)


def test_a_websocket_passes_bytes_both_ways(visitor: Visitor) -> None:
    with visitor.socket() as link:
        assert head_of(link).startswith("HTTP/1.1 101 ")
        for message in (b"\x81\x82abcd", b"x" * 3_000_000):
            link.sendall(message)
            got = bytearray()
            while len(got) < len(message):
                got += link.recv(65536)
            assert bytes(got) == message


def test_redirects_and_cookies_are_those_of_the_preview(visitor: Visitor) -> None:
    assert visitor.get("/redirect").headers["Location"] == f"{visitor.origin}/there"
    answer = visitor.get("/cookies")
    assert answer.headers.get_all("Set-Cookie") == ["mine=1; Path=/"]
    assert answer.headers["Clear-Site-Data"] is None


def test_without_the_cookie_nothing_is_shown(scene: Scene, visitor: Visitor) -> None:
    stranger = Visitor(scene, visitor.host)
    assert stranger.get().status == 403
    assert stranger.get("/.aitask-preview/state").status == 403
    assert stranger.get("/.aitask-preview/open/guess").status == 403
    stranger.cookie = visitor.cookie[:-1] + "x"
    assert stranger.get().status == 403
    with stranger.socket() as link:
        assert head_of(link).startswith("HTTP/1.1 403 ")


def test_the_cookie_opens_no_other_port_and_not_the_app(scene: Scene, visitor: Visitor, port: int) -> None:
    other = scene.start()
    try:
        tried = Visitor(scene, visitor.host.replace(str(port), str(other), 1), visitor.cookie)
        assert tried.get().status == 403
        app = Visitor(scene, f"aitask.localhost:{scene.app.port}", visitor.cookie)
        assert app.get("/api/tasks").status == 401
    finally:
        scene.stop(other)


def test_other_pages_get_nothing_of_a_preview(visitor: Visitor) -> None:
    foreign = visitor.origin.replace("http://t", "http://t9")
    assert visitor.get("/", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors").status == 403
    assert visitor.get("/", "POST", b"", Origin=foreign).status == 403
    with visitor.socket(origin=foreign) as link:
        assert head_of(link).startswith("HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "host",
    [
        "{}.evil.com",
        "{}.",
        "x.{}",
        "preview.localhost",
        "{0}, {0}",
        "{}\r\nHost: aitask.localhost",
        "{}@evil.com",
    ],
)
def test_tricks_with_the_host_reach_neither_app_nor_program(
    scene: Scene, visitor: Visitor, host: str
) -> None:
    with socket.create_connection(("127.0.0.1", scene.app.port), timeout=60) as link:
        name = host.format(visitor.host)
        link.sendall(f"GET /login HTTP/1.1\r\nHost: {name}\r\nCookie: {visitor.cookie}\r\n\r\n".encode())
        assert head_of(link).split()[1] in ("400", "421")


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "X-A: b\rContent-Length: 5",
        "X A: b",
        "X-A : b",
    ],
)
def test_a_request_has_one_length_for_everybody(scene: Scene, visitor: Visitor, head: str) -> None:
    with socket.create_connection(("127.0.0.1", scene.app.port), timeout=60) as link:
        lines = f"POST / HTTP/1.1\r\nHost: {visitor.host}\r\nCookie: {visitor.cookie}\r\n{head}\r\n\r\n"
        link.sendall(lines.encode() + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert head_of(link).startswith("HTTP/1.1 400 ")


def test_one_connection_can_ask_for_the_app_and_a_preview(scene: Scene, visitor: Visitor) -> None:
    """As that of a proxy does. Each request is what its own headers say."""
    with socket.create_connection(("127.0.0.1", scene.app.port), timeout=60) as link:
        preview = f"GET / HTTP/1.1\r\nHost: {visitor.host}\r\nCookie: {visitor.cookie}\r\n\r\n"
        app = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{scene.app.port}\r\n\r\n"
        link.sendall((preview + app + preview).encode())
        seen = b""
        while seen.count(b"HTTP/1.1 200 ") < 3 and (data := link.recv(65536)):
            seen += data
        first, second, third = (seen.find(word) for word in (b'"method"', b"Server: daphne", b'"method"'))
        assert first < second
        assert third


@pytest.mark.parametrize("path", ["/two-lengths", "/split", "/no-http", "/long-head", "/switch"])
def test_an_answer_that_can_not_be_read_is_not_passed_on(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status == 502
    assert "aitask_x" not in str(answer.headers)
    assert visitor.get("/").status == 200


def test_an_answer_ends_where_its_length_says(visitor: Visitor) -> None:
    for _ in range(3):
        assert visitor.get("/two-answers").body == b"ok"
        assert b"method" in visitor.get("/").body
    assert visitor.get("/length-and-chunks").body == b"ok"


def test_half_an_answer_is_not_taken_for_a_whole_one(visitor: Visitor) -> None:
    with pytest.raises(Exception, match=r"(?i)incomplete|reset|closed"):
        visitor.get("/half")


def test_a_page_waits_for_the_program_and_finds_it_again(scene: Scene) -> None:
    port = scene.start()
    visitor = scene.visit(port)
    scene.stop(port)
    wait_for(lambda: visitor.get().status == 503, 60, "the program has gone")
    page = visitor.get(Accept="text/html")
    assert f"Waiting for port {port}" in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert visitor.get("/.aitask-preview/state").text == "waiting"
    scene.start(port)
    wait_for(lambda: visitor.get().status == 200, 60, "the program is back")
    scene.stop(port)


def test_a_program_of_another_task_is_not_shown(scene: Scene) -> None:
    """It has taken the port since the preview was opened."""
    port = scene.start()
    visitor = scene.visit(port)
    scene.stop(port)
    wait_for(lambda: visitor.get().status == 503, 60, "the program has gone")
    elsewhere = scene.worktree.parent
    scene.start(port, f"python3 worktree/program.py {port}", folder=elsewhere)
    typed = Visitor(scene, visitor.host)
    wait_for(lambda: scene.visit(port).get().status == 200, 60, "a typed port is shown")
    assert typed.get().status == 403
    assert visitor.get().status == 503
    scene.stop(port)


def test_a_socket_closes_when_the_task_is_done(scene: Scene, visitor: Visitor) -> None:
    with visitor.socket() as link:
        assert head_of(link).startswith("HTTP/1.1 101 ")
        scene.do(f"Task.objects.filter(pk={scene.task}).update(status='done')")
        try:
            with contextlib.suppress(ConnectionResetError):
                assert link.recv(1) == b""
            assert visitor.get().status == 403
        finally:
            scene.do(f"Task.objects.filter(pk={scene.task}).update(status='review')")


def test_the_checkout_stays_at_one_address_while_spotlight_shows_one_task_after_the_other(
    scene: Scene,
) -> None:
    """On an SSH host: on this machine, Spotlight has tests of its own."""
    if scene.lab is None:
        pytest.skip("there is no SSH host")
    tasks, api = with_branches(scene, "first", "second"), scene.app.api
    before = files_of(scene.repo)
    port = scene.start(0, "python3 -m http.server --bind 127.0.0.1 {port}", folder=scene.repo)
    checkout = f"/api/workspaces/{scene.workspace}"
    visitor = scene.visit_at(api.post(f"{checkout}/ports/{port}/open")["url"])
    assert visitor.host.startswith(f"w{scene.workspace}-{port}.")
    scene.app.start_role("worker")
    for task, name in zip(tasks, ("first", "second"), strict=True):
        api.post(f"/api/tasks/{task}/spotlight")
        wait_for(lambda: api.get(f"{checkout}/spotlight")["state"] != "showing", 60, f"{name} is shown")
        assert visitor.get("/shown.txt").text == name
    scene.do(f"Task.objects.filter(pk={tasks[1]}).update(status='done')")
    assert visitor.get("/shown.txt").text == "second"
    api.delete(f"{checkout}/spotlight")
    wait_for(lambda: api.get(f"{checkout}/spotlight")["state"] == "off", 60, "the checkout is back")
    assert visitor.get("/shown.txt").status == 404
    assert files_of(scene.repo) == before
    scene.stop(port)


def with_branches(scene: Scene, *names: str) -> list[int]:
    """Add tasks, each with a branch that has a file."""
    assert scene.lab
    fields = {"workspace": scene.workspace, "prompt": "x", "backend": "codex"}
    tasks = [scene.app.api.post("/api/tasks", {**fields, "title": name})["id"] for name in names]
    for name in names:
        git(scene.repo, "checkout", "-q", "-b", name, "main")
        commit_file(scene.repo, "shown.txt", name)
    git(scene.repo, "checkout", "-q", "main")
    scene.lab.account.own(scene.repo)
    update = "Task.objects.filter(pk={}).update(branch={!r}, status='review')"
    scene.do("\n".join(update.format(*each) for each in zip(tasks, names, strict=True)))
    return tasks


def files_of(repo: Path) -> dict[str, tuple[int, bytes]]:
    """The files of a checkout, with their times."""
    files = (each for each in sorted(repo.rglob("*")) if each.is_file() and ".git" not in each.parts)
    return {str(each): (each.stat().st_mtime_ns, each.read_bytes()) for each in files}


def test_a_lost_link_comes_back(scene: Scene, visitor: Visitor, port: int) -> None:
    """The program ends with the link only because the test has started it by SSH."""
    if scene.lab is None:
        pytest.skip("there is no link")
    scene.lab.restart()
    assert visitor.get(Accept="text/html").status == 503
    scene.start(port)
    wait_for(lambda: visitor.get().status == 200, 120, "the preview is back")


def test_a_port_that_nobody_listens_on_is_none_of_the_task(scene: Scene) -> None:
    assert free_port() not in scene.ports()
