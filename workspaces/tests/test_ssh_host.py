"""A host behind a real sshd, as `ssh ALIAS` means it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from pytest_django.fixtures import Settings

from aitask.lib import sleep
from aitask.tests.lab.sshd import SshLab, make_key
from aitask.tests.lab.wait import wait_for
from workspaces import hosts
from workspaces.hosts import HostError
from workspaces.tests.conftest import Connect

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[2]


def failure(host: hosts.HostConnection) -> HostError:
    """Why the host can't be reached."""
    with pytest.raises(HostError) as caught:
        host.hello(force=True)
    return caught.value


def prepend(lab: SshLab, text: str) -> None:
    """Put lines before the lab's configuration: the first value of an option counts."""
    lab.config.write_text(text + lab.config.read_text())


def direct(lab: SshLab, alias: str, *lines: str) -> None:
    """An alias for the lab's host, without the jump host."""
    options = [f"    {line}\n" for line in (f"HostName 127.0.0.1\n    Port {lab.link.port}", *lines)]
    prepend(lab, f"Host {alias}\n{''.join(options)}\n")


def test_a_jump_host_leads_there(lab: SshLab, connect: Connect) -> None:
    host = connect("cloud")

    assert host.hello()["user"] == lab.account.name
    assert host.run(["pwd"]).out == f"{lab.account.home}\n"
    assert lab.jump_link.connections == 1


@pytest.mark.parametrize("shell", ["bash", "noisy", "fish"])
def test_any_login_shell_and_one_session_are_enough(
    shell: Literal["bash", "noisy", "fish"], settings: Settings, connect: Connect
) -> None:
    with SshLab(shell=shell, max_sessions=1) as lab:
        settings.SSH_CONFIG = str(lab.config)
        for _ in ("hostkit is brought", "hostkit is there"):
            host = connect("cloud-direct")
            assert host.run(["echo", "a  'b' $c"]).out == "a  'b' $c\n"
            host.close()


def test_hostkit_lies_there_for_its_owner_alone(lab: SshLab, connect: Connect) -> None:
    name = connect("cloud-direct").hello()["hostkit"]

    path = lab.account.home / ".local/state/aitask/hostkit" / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.suffix for file in path.parent.iterdir() if file.suffix != ".pyz"] == []


def test_many_callers_share_one_connection(lab: SshLab, connect: Connect) -> None:
    host = connect("cloud-direct")
    threads = [threading.Thread(target=host.run, args=(["true"],)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert lab.link.connections == 1


def test_several_hops_may_stand_in_one_line(lab: SshLab, connect: Connect) -> None:
    direct(lab, "far", f"ProxyJump jump,{lab.account.name}@cloud-direct:{lab.link.port}")

    assert connect("far").run(["echo", "there"]).out == "there\n"


def test_jump_hosts_in_a_circle_end(lab: SshLab, connect: Connect) -> None:
    prepend(lab, "Host *\n    ProxyJump jump\n")

    assert "circular" in failure(connect("cloud")).reason


RELAY = """
import os, socket, sys, threading
print("noise on standard error", file=sys.stderr, flush=True)
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := peer.recv(65536):
    os.write(1, data)
"""


@pytest.mark.parametrize("redirection", ["", " 2>/dev/null"])
def test_a_proxy_command_leads_there(lab: SshLab, connect: Connect, tmp_path: Path, redirection: str) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(RELAY)
    direct(lab, "relayed", f"ProxyCommand {sys.executable} {relay} %h %p{redirection}")

    assert connect("relayed").run(["echo", "there"]).out == "there\n"


def test_a_proxy_command_that_ends_is_named(lab: SshLab, connect: Connect) -> None:
    direct(lab, "relayed", "ProxyCommand exit 3 # %h")

    assert "ProxyCommand of relayed ended" in failure(connect("relayed")).reason


def test_variables_of_the_configuration_are_sent(lab: SshLab, connect: Connect) -> None:
    lab_config = lab.sshd.folder / "sshd_config"
    kept = lab_config.read_text()
    lab_config.write_text(f"{kept}\nAcceptEnv COLOUR\n")
    lab.restart()
    direct(lab, "coloured", "SetEnv COLOUR=green")

    assert connect("coloured").run(["printenv", "COLOUR"]).out == "green\n"
    lab_config.write_text(kept)
    lab.restart()


def test_missing_key_files_are_passed_over(lab: SshLab, connect: Connect) -> None:
    prepend(lab, "IdentityFile /nonexistent/key\n")

    assert connect("cloud-direct").run(["true"]).rc == 0


@pytest.fixture
def locked_key(lab: SshLab, tmp_path: Path) -> Path:
    """A key that the host knows, protected by a passphrase."""
    path = tmp_path / "id_locked"
    path.write_bytes(lab.key.read_bytes())
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", path], check=True, capture_output=True)
    path.with_name("id_locked.pub").write_bytes(lab.key.with_suffix(".pub").read_bytes())
    lab.config.write_text(lab.config.read_text().replace(f"IdentityFile {lab.key}", f"IdentityFile {path}"))
    return path


def test_a_key_with_a_passphrase_is_named(lab: SshLab, locked_key: Path, connect: Connect) -> None:
    error = failure(connect("cloud-direct"))

    assert error.code == "passphrase"
    assert f"ssh-add {locked_key}" in error.hint


def test_a_key_with_a_passphrase_works_by_the_agent(
    lab: SshLab, locked_key: Path, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        wait_for(socket.exists, 5, "the agent's socket")
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        for number in range(7):  # more than sshd lets one try: the named key must come first
            make_key(tmp_path / f"other{number}")
            subprocess.run(["ssh-add", "-q", tmp_path / f"other{number}"], check=True)
        subprocess.run(["ssh-add", "-q", lab.key], check=True)
        prepend(lab, "IdentitiesOnly no\n")

        assert connect("cloud-direct").run(["true"]).rc == 0
    finally:
        agent.terminate()
        agent.wait()


def test_a_key_that_the_host_does_not_know_is_refused(lab: SshLab, connect: Connect, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    lab.config.write_text(lab.config.read_text().replace(str(lab.key), str(tmp_path / "stranger")))

    assert failure(connect("cloud-direct")).code == "auth"


@pytest.mark.parametrize(
    ("lines", "code"),
    [("HostName 127.0.0.1\n    Port 1", "refused"), ("HostName nosuch.invalid", "dns")],
)
def test_a_host_that_is_not_there_says_why(lab: SshLab, connect: Connect, lines: str, code: str) -> None:
    prepend(lab, f"Host gone\n    {lines}\n")

    error = failure(connect("gone"))

    assert (error.code, error.retryable) == (code, True)


def test_a_host_that_does_not_answer_is_given_up(lab: SshLab, connect: Connect) -> None:
    prepend(lab, "Host cloud-direct\n    ConnectTimeout 1\n")
    lab.link.freeze()

    assert failure(connect("cloud-direct")).code in {"timeout", "reset"}


def test_what_the_jump_host_cannot_reach_is_said(lab: SshLab, connect: Connect) -> None:
    prepend(lab, "Host hidden\n    HostName 127.0.0.1\n    Port 1\n    ProxyJump jump\n")

    assert "The jump host could not reach" in failure(connect("hidden")).reason


def test_a_mistake_in_the_configuration_is_told_with_its_line(lab: SshLab, connect: Connect) -> None:
    prepend(lab, "Foo bar\n")

    error = failure(connect("cloud-direct"))

    assert error.code == "config"
    assert f"{lab.config}: line 1" in error.reason


def test_no_session_is_told_as_such(settings: Settings, connect: Connect) -> None:
    with SshLab(max_sessions=0) as lab:
        settings.SSH_CONFIG = str(lab.config)

        assert failure(connect("cloud-direct")).code == "max_sessions"


def test_a_server_with_few_places_for_logins_is_tried_again(settings: Settings, connect: Connect) -> None:
    with SshLab(max_startups="2:90:3") as lab:
        settings.SSH_CONFIG = str(lab.config)
        for number in range(5):
            direct(lab, f"cloud{number}")
        threads = [threading.Thread(target=connect(f"cloud{number}").hello) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)

        assert lab.link.connections == 5


def test_a_restarted_sshd_ends_waiting_calls_and_the_next_call_connects_anew(
    lab: SshLab, connect: Connect
) -> None:
    host = connect("cloud")
    stream = host.stream("tail", {"runs": {}})
    lab.restart()

    with pytest.raises(HostError) as caught:
        stream.get(10)

    assert (caught.value.code, caught.value.retryable) == ("link_lost", True)
    assert host.last_heard is not None
    assert host.run(["true"]).rc == 0


def test_nothing_stays_behind_on_the_host_when_the_link_is_lost(lab: SshLab, connect: Connect) -> None:
    host = connect("cloud-direct")
    pid = host.hello()["pid"]
    lab.link.cut()

    wait_for(lambda: not Path(f"/proc/{pid}").exists(), 10, "the end of hostkit on the host")


def test_a_frozen_link_is_given_up(lab: SshLab, connect: Connect) -> None:
    host = connect("cloud-direct")
    host.keepalive.interval = 0.3
    host.hello()
    lab.link.freeze()

    with pytest.raises(HostError, match="no data") as caught:
        host.run(["sleep", "30"])

    assert caught.value.code == "link_lost"


def test_after_a_sleep_of_this_machine_a_new_link_is_made_at_once(
    lab: SshLab, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = connect("cloud-direct")
    before = host.hello()["pid"]
    lab.link.forget()
    monkeypatch.setattr(sleep, "_last_tick", time.time() - 3600)
    sleep.tick()
    began = time.monotonic()
    assert host.hello()["pid"] != before
    assert time.monotonic() - began < 10


def test_who_waits_for_an_answer_during_a_sleep_hears_of_it(
    lab: SshLab, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = connect("cloud-direct")
    host.hello()
    lab.link.forget()
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(host.run, ["echo", "once"])
        wait_for(lambda: host._link and host._link._waiting, 10, "the request")
        monkeypatch.setattr(sleep, "_last_tick", time.time() - 3600)
        sleep.tick()
        error = waiting.exception()
    assert isinstance(error, HostError)
    assert (error.code, error.retryable) == ("link_lost", True)
    assert "This machine slept from" in error.reason


def test_a_call_waits_no_longer_than_it_was_told(lab: SshLab, connect: Connect) -> None:
    host = connect("cloud-direct")
    host.hello()
    lab.link.freeze()

    with pytest.raises(HostError) as caught:
        host.call("stat", {"path": "/"}, timeout=0.3)

    assert caught.value.code == "timeout"


FORKED = """
import os
from workspaces import hosts
host = hosts.get(hosts.Address("ssh", "cloud-direct"))
parent = host.hello()["pid"]
child = os.fork()
if child == 0:
    print("same" if host.hello()["pid"] == parent else "own", flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(host.hello()["pid"] == parent)
"""


def python(lab: SshLab, script: str, path: str = str(ROOT)) -> str:
    """What a Python process with this application's settings prints."""
    own = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "aitask.settings", "SSH_CONFIG": str(lab.config)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env={**os.environ, **own}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_worker_has_a_connection_of_its_own(lab: SshLab) -> None:
    assert python(lab, FORKED) == "own\nTrue\n"


WITHOUT_POSIX = """
from workspaces import hosts
try:
    hosts.get(hosts.Address("local")).hello()
except hosts.HostError as error:
    print(error.code)
print(hosts.get(hosts.Address("ssh", "cloud")).run(["echo", "there"]).out.strip())
"""


def test_it_works_where_the_server_has_no_posix_system(lab: SshLab) -> None:
    path = f"{ROOT / 'aitask/tests/no_posix'}:{ROOT}"

    assert python(lab, WITHOUT_POSIX, path) == "local_unsupported\nthere\n"


def test_it_works_where_no_ssh_is_installed(
    lab: SshLab, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert connect("cloud").run(["echo", "there"]).out == "there\n"


def test_without_ssh_a_mistake_in_the_configuration_is_told_with_its_line(
    lab: SshLab, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    prepend(lab, "ConnectTimeout 2m\n")

    error = failure(connect("cloud"))

    assert error.code == "config"
    assert f"{lab.config} line 1" in error.reason
