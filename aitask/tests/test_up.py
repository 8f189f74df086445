"""`manage.py up`: one command starts all, restarts what dies, and leaves nothing behind."""

from __future__ import annotations

import http.client
import io
import math
import re
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from pytest_django import Settings

from aitask.lib import heartbeat
from aitask.management.commands.up import HEALTH, address, announce
from aitask.supervisor.roles import Child, Role
from aitask.supervisor.supervisor import GRACE_SECONDS, Console
from aitask.tests.installation import ROOT, Installation
from aitask.tests.lab import processes
from aitask.tests.lab.link import free_port
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.server

ROLES = {"web": "aitask.web", "worker": "qcluster", "follower": "follow_runs"}
READY = "is ready: "


class Up:
    """A running `up`."""

    def __init__(self, installation: Installation, *arguments: str) -> None:
        self.installation = installation
        self.port = free_port()
        self.process = installation.start("manage.py", "up", "--port", str(self.port), *arguments)

    def wait_until_ready(self) -> None:
        self.installation.wait_for_log(READY)
        wait_for(lambda: all(map(self.leader, ROLES)), 10, "all three roles")

    def leader(self, role: str) -> int:
        """The pid of the role's own process; 0 when it is not there."""
        for pid in processes.children_of(self.process.pid):
            if ROLES[role] in processes.command_of(pid) and processes.is_alive(pid):
                return pid
        return 0

    def get(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={"Host": f"aitask.localhost:{self.port}"})
        answer = connection.getresponse()
        answer.read()
        return answer

    def answers(self) -> bool:
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False


@pytest.fixture
def up(installation: Installation) -> Up:
    started = Up(installation)
    started.wait_until_ready()
    return started


@pytest.fixture(scope="module")
def lasting_up(lasting_installation: Installation) -> Up:
    """For tests that leave it running."""
    started = Up(lasting_installation)
    started.wait_until_ready()
    return started


def test_a_fresh_folder_becomes_a_site_with_a_link_to_make_the_first_administrator(
    installation: Installation,
) -> None:
    (installation.data_dir / "db.sqlite3").unlink()
    up = Up(installation)
    log = installation.wait_for_log("create the administrator at ")
    assert f"http://aitask.localhost:{up.port}/" in log
    link = re.search(r"http://aitask\.localhost:\d+(/setup/\S+)", log)
    assert link is not None
    assert up.get(link[1]).status == 200
    assert up.get("/login").status == 200


@pytest.mark.django_db
def test_the_link_is_not_printed_where_somebody_can_log_in(
    admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aitask.management.commands.up.answers", lambda host, port: True)
    printed = io.StringIO()
    announce("127.0.0.1", 8000, Console(printed, ["up"]))
    assert "is ready: http://aitask.localhost:8000/" in printed.getvalue()
    assert "administrator" not in printed.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_within_seconds(up: Up, number: signal.Signals) -> None:
    everything = up.installation.processes()
    started = time.monotonic()
    up.process.send_signal(number)
    assert up.process.wait(15) == 0
    assert time.monotonic() - started < GRACE_SECONDS + 4
    processes.wait_until_gone(everything, 3)


def test_sigkill_of_the_parent_leaves_no_process_behind(up: Up) -> None:
    wait_for(lambda: len(up.installation.processes()) >= 4, 20, "parent and three roles")
    everything = up.installation.processes()
    up.process.kill()
    processes.wait_until_gone(everything, 5)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_killed_child_is_started_again_and_leaves_nothing_behind(lasting_up: Up, role: str) -> None:
    up = lasting_up
    victim = up.leader(role)
    left = processes.descendants_of(victim)
    processes.send(victim, signal.SIGKILL)
    processes.wait_until_gone([victim, *left], 10)
    wait_for(lambda: up.leader(role), 20, f"a new {role}")
    wait_for(up.answers, 60, "an answer of the web process")
    assert f"up       | {role} ended (signal 9); restarting" in up.installation.log()


@pytest.mark.slow
@pytest.mark.long("a role is deaf after 15 seconds")
def test_roles_that_give_no_sign_of_life_are_started_again(lasting_up: Up) -> None:
    """A later test kills single ones: the others go on."""
    up = lasting_up
    wait_for(up.answers, 60, "an answer of the web process")
    wait_for(lambda: all(map(up.leader, ROLES)), 20, "all roles")
    victims = {role: up.leader(role) for role in ROLES}
    for victim in victims.values():
        processes.send(victim, signal.SIGSTOP)
    began = time.monotonic()
    notices = [f"{role} has not answered for 15 s; ending it" for role in ROLES]
    wait_for(lambda: all(notice in up.installation.log() for notice in notices), 60, "the notices")
    assert time.monotonic() - began >= 12
    wait_for(lambda: all(up.leader(role) not in (0, victims[role]) for role in ROLES), 30, "new processes")
    wait_for(up.answers, 60, "an answer of the web process")


def silent_child(**fields: Any) -> Child:
    """A child that was last heard long ago."""
    child = Child(Role("worker", ()), ROOT, lambda name, line: None)
    for name, value in {"_heard": time.monotonic() - 100, "_tended": time.monotonic(), **fields}.items():
        setattr(child, name, value)
    return child


def test_a_child_is_not_deaf_after_its_supervisor_or_its_terminal_was_stopped() -> None:
    now = time.monotonic()
    assert silent_child()._is_deaf(now)
    assert not silent_child(_tended=now - 60)._is_deaf(now)
    assert not silent_child(_is_showing=True)._is_deaf(now)
    child = silent_child(_is_showing=True)
    child._is_deaf(now)
    child._is_showing, child._tended = False, now + 10
    assert not child._is_deaf(now + 10)
    child._tended = now + 20
    assert child._is_deaf(now + 20)


def test_a_heart_stops_with_the_loop_that_promised_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_until", math.inf)
    assert heartbeat.is_due()
    heartbeat.expect(60)
    assert heartbeat.is_due()
    heartbeat.expect(-1)
    assert not heartbeat.is_due()


def test_the_logs_are_told_apart_by_role(lasting_up: Up) -> None:
    written = lasting_up.installation.log().rpartition("\n")[0]
    prefixes = {line.partition(" |")[0].strip() for line in written.splitlines()}
    assert "up" in prefixes <= {"up", *ROLES}


def test_a_second_up_of_the_same_folder_says_so_in_one_sentence(lasting_up: Up) -> None:
    second = lasting_up.installation.run("up", "--port", str(free_port()))
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "already running" in second.stderr
    assert "DATA_DIR" in second.stderr


def test_a_port_in_use_is_named_in_one_sentence(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = installation.run("up", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"port {port}: Address already in use" in refused.stderr


def test_a_folder_that_can_not_be_made_is_named_in_one_sentence(installation: Installation) -> None:
    (installation.data_dir / "file").touch()
    installation.settings["DATA_DIR"] = str(installation.data_dir / "file" / "data")
    refused = installation.run("up")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "can't be created" in refused.stderr


def test_a_database_that_can_not_be_opened_is_told_in_one_sentence(installation: Installation) -> None:
    (installation.data_dir / "db.sqlite3").write_text("no database at all, but a text that is long enough")
    refused = installation.run("up", "--port", str(free_port()))
    assert refused.returncode == 1
    assert "can't be opened: file is not a database" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_another_address_needs_a_deliberate_setting(installation: Installation) -> None:
    refused = installation.run("up", "--host", "0.0.0.0", "--port", str(free_port()))
    assert refused.returncode == 1
    assert "ALLOW_REMOTE=true" in refused.stderr


def test_another_address_needs_the_names_of_the_site_as_well(installation: Installation) -> None:
    installation.settings["ALLOW_REMOTE"] = "true"
    refused = installation.run("up", "--host", "0.0.0.0", "--port", str(free_port()))
    assert refused.returncode == 1
    assert "ALLOWED_HOSTS" in refused.stderr


def test_another_address_is_taken_when_it_was_set_up(installation: Installation) -> None:
    installation.settings |= {"ALLOW_REMOTE": "true", "ALLOWED_HOSTS": "tasks.example.com"}
    up = Up(installation, "--host", "0.0.0.0")
    assert "Invalid HTTP_HOST" not in installation.wait_for_log(f"{READY}http://tasks.example.com:{up.port}/")
    assert up.get("/login").status == 400  # the name by which we call is not the site's


@pytest.mark.parametrize(
    ("names", "origins", "shown"),
    [
        ([".example.com", "a.example.com"], [], "http://a.example.com:8000"),
        (["127.0.0.1", "a.example.com"], [], "http://127.0.0.1:8000"),
        (["127.0.0.1", "aitask.localhost"], [], "http://aitask.localhost:8000"),
        ([".localhost", "a.example.com"], [], "http://aitask.localhost:8000"),
        (["127.0.0.1", "aitask.localhost"], ["https://b.example.com"], "https://b.example.com"),
        (["a.example.com"], ["https://*.example.com", "https://b.example.com"], "https://b.example.com"),
    ],
)
def test_the_address_that_is_shown_lets_a_browser_in(
    settings: Settings, names: list[str], origins: list[str], shown: str
) -> None:
    settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS = names, origins
    assert address("127.0.0.1", 8000) == shown


def test_it_asks_the_page_that_tells_whether_the_site_works() -> None:
    assert reverse("health") == HEALTH


def test_a_process_that_serves_no_pages_imports_none(installation: Installation) -> None:
    loaded = (
        "import sys, aitask.management.commands.up, aitask.worker.cluster, tasks.runs.follower.follower\n"
        "print(sorted({'ninja', 'pydantic', 'redis', 'twisted', 'asyncssh', 'pygments'} & set(sys.modules)))"
    )
    done = installation.run("shell", "--no-imports", "-c", loaded)
    assert done.stdout.strip() == "[]", done.stderr


def test_pages_do_not_import_the_api(installation: Installation) -> None:
    installation.run("migrate", "-v0")
    asked = (
        "import sys\n"
        "from django.contrib.auth.models import User\n"
        "from django.test import Client\n"
        "browser = Client(headers={'host': 'aitask.localhost'})\n"
        "browser.force_login(User.objects.create_superuser('ada'))\n"
        "for path in ('/', '/inbox', '/usage', '/workspaces', '/account/tokens', '/admin/', '/no'):\n"
        "    browser.get(path)\n"
        "print('ninja' in sys.modules, browser.get('/api/tasks').json(), 'ninja' in sys.modules)"
    )
    done = installation.run("shell", "--no-imports", "-c", asked)
    assert done.stdout.strip() == "False [] True", done.stderr


def test_a_terminal_that_goes_away_does_not_stop_the_children_from_ending(installation: Installation) -> None:
    """The reader of the log is gone, as when a terminal window was closed."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "manage.py", "up", "--port", str(port)],
        cwd=ROOT,
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        while READY.encode() not in process.stdout.readline():
            pass
        process.stdout.close()
        process.terminate()
        assert process.wait(15) == 0
    installation.wait_until_all_gone(1)
