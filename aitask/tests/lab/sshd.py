"""Hosts with real SSH servers on loopback, reached by `ssh cloud` through a jump host.

    with SshLab(shell="fish", max_sessions=2) as lab:
        …SSH_CONFIG=lab.config…  # aliases: cloud (by ProxyJump), cloud-direct, jump
        lab.link.freeze(); lab.restart(); lab.change_host_key()

The login is a user created for the lab if the tests run as root, else the user who runs the tests with
another HOME. `close()` ends only what was started here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal

from . import processes
from .accounts import Account, make_account
from .cli_home import CliHome, Login, make_cli_home
from .link import Link, free_port
from .repos import make_repo
from .tools import require_tool, search_path
from .wait import wait_for

Shell = Literal["bash", "noisy", "fish"]

SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
PidFile none
AuthorizedKeysFile {authorized_keys}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
LogLevel VERBOSE
{more}
"""
CLIENT_CONFIG = """\
# Written by the lab
Host jump
    HostName 127.0.0.1
    Port {jump_port}

Host cloud cloud-direct
    HostName 127.0.0.1
    Port {port}

Host cloud
    ProxyJump jump

Host *
    User {user}
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
    GlobalKnownHostsFile /dev/null
"""
NOISE = """\
echo "Welcome to the cloud! Last login: never"
echo "a warning of the rc file" >&2
printf '{"not": "hello"}\\n'
"""


class Sshd:
    """One sshd with its own host key; `port` stays the same after a restart."""

    def __init__(self, folder: Path, authorized_keys: Path, more: list[str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.host_key = folder / "host_key"
        self.log = folder / "sshd.log"
        self._config = folder / "sshd_config"
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0
        "The length of the log when it was started last."
        folder.mkdir()
        make_key(self.host_key)
        self._config.write_text(
            SSHD_CONFIG.format(
                port=self.port, host_key=self.host_key, authorized_keys=authorized_keys, more="\n".join(more)
            )
        )

    @property
    def pid(self) -> int:
        assert self._process is not None, "sshd is not running"
        return self._process.pid

    @property
    def known_hosts_line(self) -> str:
        algorithm, key, *_ = self.host_key.with_suffix(".pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {algorithm} {key}\n"

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self.log.open("ab") as log:
            self._started_at = log.tell()
            command = [require_tool("sshd"), "-D", "-e", "-f", str(self._config)]
            environment = {"PATH": search_path()}
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, env=environment)
        wait_for(self._listens, 10, lambda: f"sshd on port {self.port}; {self.log.read_text()[-500:]}")

    def stop(self) -> None:
        """Stop listening and close every connection; other processes on the host keep running."""
        if self._process is None:
            return
        sessions = [pid for pid in processes.descendants_of(self.pid) if _is_sshd(pid)]
        processes.end(self._process)
        for pid in sessions:
            processes.send(pid, signal.SIGKILL)
        self._process = None

    def change_host_key(self) -> None:
        """Replace the host key, as if another host had the same address."""
        self.stop()
        for path in (self.host_key, self.host_key.with_suffix(".pub")):
            path.unlink()
        make_key(self.host_key)
        self.start()

    def _listens(self) -> bool:
        said = self.log.read_bytes()[self._started_at :].lower()
        return b"listening on 127.0.0.1 port %d" % self.port in said


def _is_sshd(pid: int) -> bool:
    return processes.command_of(pid).startswith("sshd")


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


class SshLab:
    """Two sshds, a jump host and a host behind it, each with a link that can fail."""

    def __init__(
        self,
        *,
        shell: Shell = "bash",
        max_sessions: int | None = None,
        max_startups: str | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aitask-lab-"))
        self.folder.chmod(0o755)
        self.shell = shell
        self.account: Account = make_account(self.folder / "home", self._shell_path())
        self.key = self.folder / "id_lab"
        self.known_hosts = self.folder / "known_hosts"
        self.config = self.folder / "ssh_config"
        make_key(self.key)
        limits = {"MaxSessions": max_sessions, "MaxStartups": max_startups}
        more = [f"{name} {value}" for name, value in limits.items() if value is not None]
        self.sshd = self._sshd("cloud", [*more, *self._stand_in()])
        self.jump = self._sshd("jump", [])
        self.link = Link(self.sshd.port)
        self.jump_link = Link(self.jump.port)
        self._write_rc_files()
        self._write_client_config()

    def _shell_path(self) -> str:
        return require_tool("fish" if self.shell == "fish" else "bash")

    def _sshd(self, name: str, more: list[str]) -> Sshd:
        authorized = self.key.with_suffix(".pub")
        return Sshd(self.folder / name, authorized, more)

    def _stand_in(self) -> list[str]:
        """Return the sshd options if the login is the current user: another HOME, tmux server and shell."""
        if self.account.made:
            return []
        run = f'[ -n "$SSH_ORIGINAL_COMMAND" ] && exec {self.account.shell} -c "$SSH_ORIGINAL_COMMAND"'
        home = self.account.home
        variables = f"SetEnv HOME={home} SHELL={self.account.shell} TMUX_TMPDIR={home}"
        return [variables, f"ForceCommand cd; {run}; exec {self.account.shell} -l"]

    def _write_rc_files(self) -> None:
        home = self.account.home
        noise = NOISE if self.shell == "noisy" else ""
        (home / ".bashrc").write_text(f"export PATH={search_path()}\n{noise}")
        (home / ".profile").write_text(". ~/.bashrc\n")
        (home / ".config/fish").mkdir(parents=True)
        self.tmux_socket.parent.mkdir(mode=0o700, parents=True)
        (home / ".config/fish/config.fish").write_text(f"set -gx PATH {search_path().replace(':', ' ')}\n")
        (home / ".gitconfig").write_text("[user]\n\tname = Ada Cloud\n\temail = ada@cloud.invalid\n")
        self.account.own(home)

    def _write_client_config(self) -> None:
        self.config.write_text(
            CLIENT_CONFIG.format(
                jump_port=self.jump_link.port,
                port=self.link.port,
                user=self.account.name,
                key=self.key,
                known_hosts=self.known_hosts,
            )
        )
        self.trust_host_keys()

    def trust_host_keys(self) -> None:
        """Write the current keys of both hosts to known_hosts, for the addresses that clients use."""
        lines = [
            self.sshd.known_hosts_line.replace(f":{self.sshd.port} ", f":{self.link.port} "),
            self.jump.known_hosts_line.replace(f":{self.jump.port} ", f":{self.jump_link.port} "),
        ]
        self.known_hosts.write_text("".join(lines))

    def forget_host_keys(self) -> None:
        self.known_hosts.write_text("")

    def change_host_key(self) -> None:
        """Replace the key of `cloud`; known_hosts keeps the old one."""
        self.sshd.change_host_key()

    def restart(self, pause: float = 0.0) -> None:
        """Restart `cloud`'s sshd on the same port after `pause` seconds; its connections are lost."""
        self.sshd.stop()
        time.sleep(pause)
        self.sshd.start()

    @property
    def tmux_socket(self) -> Path:
        """That of the app's own tmux server on the host."""
        return self.account.home / ".local/state/aitask/tmux.sock"

    def make_repo(self, name: str = "repo") -> Path:
        """Create a repository in the login's home, owned by the login."""
        repo = make_repo(self.account.home / name)
        self.account.own(repo)
        return repo

    def make_cli_home(self, url: str, *, login: Login = "api_key", name: str = "cli-home") -> CliHome:
        """Create a home for the CLIs on this host, owned by the login."""
        home = make_cli_home(self.account.home / name, url, login=login)
        self.account.own(home.folder)
        return home

    def ssh(self, alias: str, *command: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run `ssh ALIAS command` with OpenSSH's client."""
        argv = [require_tool("ssh"), "-F", str(self.config), "-o", "BatchMode=yes", alias, *command]
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            env={"PATH": search_path(), "HOME": str(self.folder)},
            check=False,
        )

    def __enter__(self) -> SshLab:
        self.sshd.start()
        self.jump.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for link in (self.link, self.jump_link):
            link.close()
        for sshd in (self.sshd, self.jump):
            sshd.stop()
        self.account.close()
        shutil.rmtree(self.folder, ignore_errors=True)
