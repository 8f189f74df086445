"""The lab's hosts behave like real ones, and fail when told to."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time

import pytest

from aitask.tests.lab import processes
from aitask.tests.lab.accounts import can_make_users
from aitask.tests.lab.endpoint import ScriptedEndpoint
from aitask.tests.lab.repos import git
from aitask.tests.lab.sshd import Shell, SshLab
from aitask.tests.lab.tools import require_tool, version_of
from aitask.tests.lab.wait import wait_for

pytestmark = pytest.mark.server


def test_the_cloud_is_reached_through_the_jump_host() -> None:
    with SshLab() as lab:
        done = lab.ssh("cloud", "whoami; echo $HOME")
        assert done.stdout.split() == [lab.account.name, str(lab.account.home)]
        assert "Accepted publickey" in lab.jump.log.read_text()
        assert lab.ssh("cloud-direct", "true").returncode == 0


@pytest.mark.skipif(not can_make_users(), reason="needs root and useradd")
def test_the_login_is_a_user_of_the_lab_that_leaves_nothing_behind() -> None:
    with SshLab() as lab:
        account = lab.account
        assert account.uid != 0
        lab.ssh("cloud-direct", "setsid sleep 1000 >/dev/null 2>&1 </dev/null & disown")
        wait_for(lambda: processes.of_user(account.uid), message="the sleeper")
    assert processes.of_user(account.uid) == []
    assert subprocess.run(["id", account.name], capture_output=True, check=False).returncode != 0
    assert not lab.folder.exists()


def test_a_noisy_shell_writes_before_the_command() -> None:
    with SshLab(shell="noisy") as lab:
        assert lab.ssh("cloud", "echo done").stdout.splitlines()[0].startswith("Welcome to the cloud")


def test_the_login_shell_may_be_fish() -> None:
    with SshLab(shell="fish") as lab:
        assert lab.ssh("cloud", "echo $version; git --version").returncode == 0
        assert lab.ssh("cloud", "set -l x 1; and echo fish").stdout == "fish\n"


def test_sessions_of_one_connection_are_limited() -> None:
    with SshLab(max_sessions=1) as lab:
        path = lab.folder / "master"
        options = ["-o", f"ControlPath={path}", "-o", "ControlMaster=auto", "-o", "ControlPersist=5"]
        argv = ["ssh", "-F", str(lab.config), *options, "cloud-direct"]
        with subprocess.Popen([*argv, "sleep 5"], stdin=subprocess.DEVNULL) as first:
            wait_for(path.exists, message="the shared connection")
            wait_for(lambda: "Starting session" in lab.sshd.log.read_text(), message="the first session")
            second = subprocess.run([*argv, "true"], capture_output=True, text=True, check=False)
            assert "Session open refused by peer" in second.stderr
            first.kill()


def test_a_changed_host_key_is_refused() -> None:
    with SshLab() as lab:
        lab.change_host_key()
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in lab.ssh("cloud", "true").stderr
        lab.trust_host_keys()
        assert lab.ssh("cloud", "true").returncode == 0


def test_an_unknown_host_key_is_refused() -> None:
    with SshLab() as lab:
        lab.forget_host_keys()
        assert "Host key verification failed" in lab.ssh("cloud-direct", "true").stderr


def test_a_restart_drops_connections_and_keeps_the_port() -> None:
    with SshLab() as lab:
        argv = ["ssh", "-F", str(lab.config), "cloud", "echo up; sleep 60"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as session:
            assert session.stdout is not None
            assert session.stdout.readline() == "up\n"
            lab.restart()
            assert session.wait(10) == 255
        assert lab.ssh("cloud", "echo again").stdout == "again\n"


def test_a_frozen_link_passes_nothing_until_it_thaws() -> None:
    with SshLab() as lab:
        argv = ["ssh", "-F", str(lab.config), "cloud", "cat"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as session:
            assert session.stdin is not None
            assert session.stdout is not None
            session.stdin.write(b"one\n")
            assert session.stdout.readline() == b"one\n"
            lab.link.freeze()
            session.stdin.write(b"two\n")
            frozen_at = time.monotonic()
            threading.Timer(0.5, lab.link.thaw).start()
            assert session.stdout.readline() == b"two\n"
            assert time.monotonic() - frozen_at >= 0.5
            session.stdin.close()
            assert session.wait(10) == 0


def test_a_cut_link_refuses_until_it_is_mended() -> None:
    with SshLab() as lab:
        lab.link.cut()
        assert lab.ssh("cloud-direct", "true").returncode == 255
        lab.link.mend()
        assert lab.ssh("cloud-direct", "true").returncode == 0


def test_a_repository_on_the_host_belongs_to_the_login() -> None:
    with SshLab() as lab:
        repo = lab.make_repo()
        assert lab.ssh("cloud", f"git -C {repo} log --oneline | wc -l").stdout.strip() == "2"
        assert git(repo, "rev-parse", "--abbrev-ref", "HEAD") == "main"


@pytest.mark.cli
@pytest.mark.parametrize("shell", ["bash", "noisy", "fish"])
def test_the_clis_and_python_are_on_the_path_of_every_login_shell(shell: Shell) -> None:
    for name in ("claude", "codex"):
        require_tool(name)
    with SshLab(shell=shell) as lab:
        done = lab.ssh("cloud", "claude --version; codex --version; python3 --version")
        assert version_of("CLAUDE") + " (Claude Code)" in done.stdout
        assert "codex-cli " + version_of("CODEX") in done.stdout
        assert "Python 3." in done.stdout


@pytest.mark.cli
def test_an_agent_works_in_a_repository_of_the_host(endpoint: ScriptedEndpoint) -> None:
    require_tool("codex")
    with SshLab() as lab:
        repo, home = lab.make_repo(), lab.make_cli_home(endpoint.url)
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in home.environment.items())
        options = "--sandbox danger-full-access '@write new.txt hello'"
        done = lab.ssh("cloud", f"cd {repo} && env -i {variables} codex exec {options} < /dev/null")
        assert (repo / "new.txt").read_text() == "hello\n", done.stderr
        assert (repo / "new.txt").stat().st_uid == lab.account.uid
