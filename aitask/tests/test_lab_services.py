"""PostgreSQL, Redis, tmux, git and Chromium of the lab answer, and leave nothing behind."""

from __future__ import annotations

import http.server
import signal
import threading
from pathlib import Path

import psycopg
import pytest
import redis

from aitask.tests.lab import processes, repos
from aitask.tests.lab.browser import open_browser, open_page
from aitask.tests.lab.link import Link
from aitask.tests.lab.services import PostgreSQL, Redis
from aitask.tests.lab.tmux import TmuxServer
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.server


def test_postgresql_answers_and_survives_a_restart() -> None:
    with PostgreSQL() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("create table kept (word text)")
            connection.execute("insert into kept values ('Grüße')")
        server.stop()
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select word from kept").fetchone() == ("Grüße",)
    assert not server.folder.exists()


def test_redis_answers() -> None:
    with Redis() as server, redis.Redis.from_url(server.url) as client:
        client.set("word", "Grüße")
        assert client.get("word") == "Grüße".encode()
    assert not server.folder.exists()


def test_tmux_sessions_are_the_tests_own() -> None:
    with TmuxServer() as tmux:
        assert tmux.sessions() == []
        tmux.run("new-session", "-d", "-s", "one", "echo seen; exec sleep 100")
        assert tmux.sessions() == ["one"]
        wait_for(lambda: "seen" in tmux.capture("one"), message="the pane's text")
        pid = tmux.pid
    assert pid
    assert not Path(f"/proc/{pid}").exists() or tmux.pid is None


def test_a_killed_tmux_server_is_gone() -> None:
    with TmuxServer() as tmux:
        tmux.run("new-session", "-d", "-s", "one")
        tmux.kill()
        assert tmux.sessions() == []


@pytest.mark.parametrize(
    ("make", "head"),
    [
        (repos.make_repo, "main"),
        (repos.make_oddly_named_repo, "main"),
        (repos.make_repo_with_submodule, "main"),
        (repos.make_detached_repo, "HEAD"),
    ],
)
def test_repositories_are_clean_and_where_they_should_be(
    make: repos.MakeRepo, head: str, tmp_path: Path
) -> None:
    repo = make(tmp_path / "repo")
    assert repos.git(repo, "status", "--porcelain") == ""
    assert repos.git(repo, "rev-parse", "--abbrev-ref", "HEAD") == head


def test_an_unborn_repository_has_no_commit(tmp_path: Path) -> None:
    repo = repos.make_unborn_repo(tmp_path / "repo")
    assert "No commits yet" in repos.git(repo, "status")


@pytest.mark.browser
def test_a_browser_that_hangs_is_ended_and_the_next_page_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aitask.tests.lab.browser.CLOSE_SECONDS", 1.0)
    with open_browser() as browser:
        with open_page(browser, "about:blank"):
            hanging = browser.pids()
            for pid in hanging:
                processes.send(pid, signal.SIGSTOP)
        with open_page(browser, "about:blank") as page:
            assert page.evaluate("1 + 1") == 2
        assert not set(hanging) & set(browser.pids())


@pytest.mark.browser
def test_chromium_shows_a_page_through_a_link(tmp_path: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Lab</title><h1>Hello</h1>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        link = Link(server.server_address[1])
        with open_browser() as browser, open_page(browser, f"http://127.0.0.1:{link.port}") as page:
            page.goto("/")
            assert page.get_by_role("heading").inner_text() == "Hello"
        link.close()
        server.shutdown()
