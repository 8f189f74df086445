"""PostgreSQL and Redis from the system's packages, on free ports, with data that is removed when they stop.

As a program it runs a command with `DATABASE_URL` and `REDIS_URL` set, and exits with its status:
`python -m aitask.tests.lab.services pytest aitask`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from . import processes
from .link import free_port
from .tools import missing, require_tool
from .wait import wait_for

POSTGRES_USER = "postgres"


class Service:
    """One server process with its own folder."""

    name: str

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def prepare(self) -> None:
        """Create what the server needs before its first start."""

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            command = self.command()
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(
            self.answers, 30, f"{self.name} on port {self.port}, see {self.folder}/server.log", every=0.1
        )

    def stop(self) -> None:
        if self._process:
            processes.end(self._process, grace=10)
            self._process = None

    def __enter__(self) -> Service:
        self.prepare()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Service):
    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        return [require_tool("redis-server"), *options]

    def answers(self) -> bool:
        ping = [require_tool("redis-cli"), "-p", str(self.port), "ping"]
        return subprocess.run(ping, capture_output=True, check=False).stdout == b"PONG\n"


class PostgreSQL(Service):
    """A cluster with the database `aitask`. Because it refuses to run as root, it runs as postgres then."""

    name = "postgresql"

    @property
    def url(self) -> str:
        return f"postgres://{POSTGRES_USER}@127.0.0.1:{self.port}/aitask"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        if os.geteuid() == 0:
            try:
                user = pwd.getpwnam(POSTGRES_USER)
            except KeyError:
                missing("PostgreSQL is not installed; `bash .ci/test` installs it")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        initdb = [self._program("initdb"), "-D", str(self.data), "-U", POSTGRES_USER, "-A", "trust"]
        self._run([*initdb, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])

    def start(self) -> None:
        super().start()
        create = [self._program("createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", POSTGRES_USER]
        if not (self.folder / "created").exists():
            self._run([*create, "aitask"])
            (self.folder / "created").touch()

    def command(self) -> list[str]:
        settings = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "listen_addresses=127.0.0.1",
        ]
        options = [word for setting in settings for word in ("-c", setting)]
        server = [
            self._program("postgres"),
            "-D",
            str(self.data),
            "-p",
            str(self.port),
            "-k",
            str(self.folder),
        ]
        return self._as_owner([*server, *options])

    def answers(self) -> bool:
        ready = [self._program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _program(self, name: str) -> str:
        """Return the path of a program. On Debian it is in a folder per version, not in PATH."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(found[-1]) if found else require_tool(name)

    def _as_owner(self, command: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return command
        # setpriv executes the server in its own process, so the id is the server's.
        user = pwd.getpwnam(POSTGRES_USER)
        identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return [require_tool("setpriv"), *identity, *command]

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            self._as_owner(command), cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"


def main() -> int:
    with ExitStack() as stack:
        database, redis = stack.enter_context(PostgreSQL()), stack.enter_context(Redis())
        environment = os.environ | {"DATABASE_URL": database.url, "REDIS_URL": redis.url}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
