"""The socket of a terminal at a running web server: who gets in, what is logged, what a page can ask."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import sqlite3
from typing import Any
from urllib.parse import urlencode

import pytest

from aitask.tests.lab.tmux import TmuxServer
from aitask.tests.lab.wait import wait_for
from terminal.tests.site import Site
from terminal.tests.socket_client import RawSocket, SocketClosed


def handshake(site: Site, path: str, **headers: str) -> int:
    given = {"Origin": f"http://127.0.0.1:{site.port}", "Cookie": site.cookie, **headers}
    return RawSocket(site.port, path, {name: value for name, value in given.items() if value}).status


def rows(site: Site, sql: str) -> list[Any]:
    with sqlite3.connect(site.installation.data_dir / "db.sqlite3") as database:
        return database.execute(sql).fetchall()


def change(site: Site, sql: str) -> None:
    with sqlite3.connect(site.installation.data_dir / "db.sqlite3", timeout=20) as database:
        database.execute(sql)


def test_who_may_open_a_terminal_and_what_is_logged(site: Site) -> None:
    task = site.tasks[0]
    path = f"/api/tasks/{task}/terminal"
    assert handshake(site, path, Cookie="") == 403
    assert handshake(site, path, Origin="http://evil.example") == 403
    assert handshake(site, path, Origin="") == 403
    assert handshake(site, "/api/tasks/999/terminal") == 403
    site.make_session(task)
    browser = site.open(task)
    browser.until_message("snapshot")
    browser.type(b"echo secr''et-word\r")
    browser.until_text("secret-word")
    browser.close()
    wait_for(lambda: rows(site, "select 1 from terminal_visit where closed_at is not null"), 10, "the log")
    logged = rows(
        site, "select kind, username, task_number, session, closed_at is not null from terminal_visit"
    )
    assert logged == [("open", "ann", task, f"aitask-{task}", 1)]
    assert "secret-word" not in site.installation.log()
    change(site, "delete from auth_user_user_permissions")
    assert handshake(site, path) == 403
    assert site.get(f"/tasks/{task}/terminal").status == 403


def test_a_session_is_made_in_the_worktree_where_there_is_none(site: Site) -> None:
    browser = site.open(site.tasks[1])
    browser.say(t="pulse")
    browser.until_message("pulse")  # making it may take long: the page must know that the way is alive
    assert not browser.messages("snapshot")
    browser.until_message("snapshot", 60)
    browser.type(b"pwd; git branch --show-current\r")
    browser.until_text(f"repo.worktrees/{site.tasks[1]}-")
    browser.until_text(f"aitask/{site.tasks[1]}-")
    owner = site.tmux("show-options", "-v", "-t", f"=aitask-{site.tasks[1]}:", "@aitask")
    assert owner == site.owner(site.tasks[1])


def test_closing_keeps_the_history_and_opening_anew_shows_it_above(site: Site) -> None:
    task = site.tasks[0]
    browser = site.open(task)
    browser.until_message("snapshot", 60)
    browser.type(b"echo remem''ber me\r")
    browser.until_text("remember me")
    assert post(site, f"/tasks/{task}/terminal/close") in (200, 204, 302)
    browser.until_message("exit")
    wait_for(lambda: f"aitask-{task}" not in site.host.sessions(), 10, "the session's end")  # type: ignore[union-attr]
    again = site.open(task, create="ask")
    assert again.until_message("gone")["history"]
    saved = site.get(f"/tasks/{task}/terminal/history").read()
    assert b"remember me" in saved
    anew = site.open(task, create=1)
    anew.until_text("remember me", 60)
    kinds = [kind for (kind,) in rows(site, "select kind from terminal_visit order by id")]
    assert kinds == ["open", "close_session", "open", "history", "open"]


def test_a_page_that_comes_back_gets_as_many_lines_as_it_had(site: Site) -> None:
    task = site.tasks[0]
    site.make_session(task, "sh -c 'seq 1 9000; cat'")
    wait_for(lambda: "9000" in site.capture(task), 10, "all lines")
    assert site.open(task).until_message("snapshot")["lines"] == 2000
    assert site.open(task, lines=5000).until_message("snapshot")["lines"] == 5000


@pytest.mark.parametrize("kind", ["tasks", "workspaces"])
def test_what_a_shell_showed_outlives_tmux_and_stands_above_the_next_shell(site: Site, kind: str) -> None:
    pk = site.tasks[0] if kind == "tasks" else site.workspace
    path = f"/{kind}/{pk}/terminal"
    browser = site.connect(kind, pk)
    browser.until_message("snapshot", 60)
    browser.type(b"seq 1 3000; printf 'asks \\033[6n\\n'; echo outl''ives\r")
    browser.until_text("outlives")
    recorded = site.recorded(kind)
    wait_for(lambda: recorded.exists() and b"outlives" in recorded.read_bytes(), 10, "the record")
    assert recorded.stat().st_mode & 0o777 == 0o600
    assert isinstance(site.host, TmuxServer)
    site.host.kill()
    browser.until_message("exit", 30)
    saved = site.get(f"{path}/history").read()
    assert b"\r\n3000\r\n" in saved
    assert b"outlives" in saved
    assert b"\x1b[6n" not in saved
    assert site.connect(kind, pk, create="ask").until_message("gone")["history"]
    anew = site.connect(kind, pk, create=1)
    anew.until_text("outlives", 60)
    anew.type(b"echo and go''es on\r")
    anew.until_text("and goes on")
    wait_for(lambda: b"and goes on" in recorded.read_bytes(), 10, "the record's going on")
    assert recorded.read_bytes().count(b"outlives\r\n") == 1


def test_a_browser_that_never_reads_costs_no_memory_and_stops_nobody(site: Site) -> None:
    task = site.tasks[0]
    site.make_session(task, "sh -c 'while :; do seq 1 20000; done'")
    sleeper = site.open(task)
    sleeper.acknowledges = False
    sleeper.until_message("snapshot")
    sleeper.drain(2)
    before = resident(site.pid)
    assert len(sleeper.output) < 1_500_000
    watcher = site.open(task)
    watcher.until(lambda client: client.shown > 2_000_000, 60)
    assert resident(site.pid) - before < 20_000_000
    sleeper.acknowledges = True
    sleeper.acknowledge()
    sleeper.until(lambda client: len(client.messages("snapshot")) == 2, 20)


def test_a_large_paste_arrives_whole(site: Site) -> None:
    task = site.tasks[0]
    site.make_session(task, "stty raw -echo; head -c 1000000 | md5sum; sleep 100")
    browser = site.open(task)
    browser.until_message("snapshot")
    text = "0123456789" * 100_000
    for start in range(0, len(text), 200_000):
        browser.say(t="paste", d=text[start : start + 200_000], more=start + 200_000 < len(text))
    browser.until_text(hashlib.md5(text.encode()).hexdigest(), 30)


def test_nonsense_and_a_paste_without_measure_are_not_taken(site: Site) -> None:
    site.make_session(site.tasks[0])
    browser = site.open(site.tasks[0])
    browser.until_message("snapshot")
    for noise in (b"[]", b"{", b'{"t":"ack","n":-5}', b'{"t":"resize","cols":"x"}', b'{"t":"no"}'):
        browser.socket.send(1, noise)
    for _ in range(18):
        browser.say(t="paste", d="exit " * 200_000, more=True)
    browser.say(t="paste", d="exit\n")
    assert "nothing was pasted" in browser.until_message("error")["message"]
    browser.type(b"echo al''ive\r")
    browser.until_text("alive")
    assert "exit" not in site.capture(site.tasks[0])


def test_the_login_is_asked_for_again_when_it_has_ended(site: Site) -> None:
    change(site, "delete from django_session")
    assert handshake(site, f"/api/tasks/{site.tasks[0]}/terminal") == 403


def test_the_sidebar_hears_of_sessions_that_come_and_go(site: Site) -> None:
    headers = {"Origin": f"http://127.0.0.1:{site.port}", "Cookie": site.cookie}
    site.make_session(site.tasks[0])
    sidebar = RawSocket(site.port, "/ws/terminals", headers)
    assert b"Task 0" in next_list(sidebar)
    site.tmux("kill-session", "-t", f"=aitask-{site.tasks[0]}")
    assert b"Task 0" not in next_list(sidebar)


def next_list(sidebar: RawSocket) -> bytes:
    while True:
        message = json.loads(sidebar.receive(30)[1])
        if message.get("t") == "sessions":
            sidebar.send(1, json.dumps({"ack": message["n"]}).encode())
            return str(message["html"]).encode()


def post(site: Site, path: str, **data: str) -> int:
    page = site.get(path.removesuffix("/close").removesuffix("/close-finished"))
    cookies = [value.split(";")[0] for name, value in page.getheaders() if name.lower() == "set-cookie"]
    token = re.search(rb'data-csrf="(\w+)"', page.read())
    assert token
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    headers = {"Cookie": "; ".join([site.cookie, *cookies]), "X-CSRFToken": token[1].decode()}
    host = f"aitask.localhost:{site.port}"
    headers |= {"Host": host, "Origin": f"http://{host}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, urlencode(data), headers)
    return connection.getresponse().status


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_closed_socket_says_why(site: Site) -> None:
    change(site, f"update workspaces_workspace set repo_path='/nowhere' where id={site.workspace}")
    browser = site.open(site.tasks[0])
    message = browser.until_message("error", 60)
    assert message["message"]
    with pytest.raises(SocketClosed) as closed:
        browser.until(lambda client: False, 10)
    assert closed.value.code == 4410


def test_a_page_asks_before_it_opens_a_session_that_needs_a_branch(site: Site) -> None:
    task = site.tasks[2]
    gone = site.open(task, create="ask").until_message("gone", 60)
    assert not gone["history"]
    assert f"creates the branch aitask/{task}-task-2 and its worktree" in gone["creates"]
    assert rows(site, f"select branch, worktree_path from tasks_task where id={task}") == [("", "")]
    site.open(task, create=1).until_message("snapshot", 60)
    assert site.open(task, create="ask").until_message("snapshot", 60)


def test_only_finished_sessions_are_closed_together(site: Site) -> None:
    done, busy, backlog = site.tasks
    for task in site.tasks:
        name = site.make_session(task, "bash --norc --noprofile" if task != busy else "cat")
        site.tmux("rename-window", "-t", f"={name}:", "run-1")
    for task in (done, busy):
        made = f"Run.objects.create(task_id={task}, number=1, backend='codex', state='succeeded')"
        code = f"from tasks.models import Run; {made}"
        assert not site.installation.run("shell", "--no-imports", "-c", code).returncode
    assert post(site, "/terminals/close-finished", tasks=" ".join(map(str, site.tasks))) in (200, 204, 302)
    sessions = site.tmux("list-sessions", "-F", "#{session_name}").split()
    assert f"aitask-{done}" not in sessions
    assert {f"aitask-{busy}", f"aitask-{backlog}"} <= set(sessions)
