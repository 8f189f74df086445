"""tmux servers for tests, separate from the developer's."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from . import processes
from .tools import require_tool, search_path

COMMAND_SECONDS = 30.0


class TmuxServer:
    """The app's own server on a host, and the user's, in folders of the test.

    With `environment`, hostkit and tmux clients use these two. `home` is that of a host whose HOME is set.
    """

    def __init__(self, home: Path | None = None) -> None:
        # Not pytest's folder: the path of a UNIX socket has at most about 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="tmux-"))
        self.state = home / ".local/state" if home else self.folder / "state"
        self.environment = {"TMUX_TMPDIR": str(self.folder)}
        if home is None:
            self.environment["XDG_STATE_HOME"] = str(self.state)

    @property
    def socket(self) -> Path:
        """That of the app's own server."""
        return self.state / "aitask" / "tmux.sock"

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command of the app's server; return its output without the last newline."""
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        return self._run(["-S", str(self.socket), "-f", "/dev/null"], arguments, check)

    def users(self, *arguments: str, check: bool = True) -> str:
        """Run a command of the user's server."""
        return self._run([], arguments, check)

    def _run(self, server: list[str], arguments: tuple[str, ...], check: bool) -> str:
        environment = {"PATH": search_path(), "LANG": "C.UTF-8", "TERM": "xterm-256color", **self.environment}
        command = [require_tool("tmux"), "-u", *server, *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
        )
        assert done.returncode == 0 or not check, f"tmux {' '.join(arguments)}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def sessions(self) -> list[str]:
        return self.run("list-sessions", "-F", "#{session_name}", check=False).split()

    def capture(self, target: str) -> str:
        """Return the pane's text with its history, with wrapped lines joined."""
        return self.run("capture-pane", "-p", "-J", "-S", "-", "-t", target)

    @property
    def pid(self) -> int | None:
        """The server's process id; None if it is not running."""
        answer = self.run("display-message", "-p", "#{pid}", check=False)
        return int(answer) if answer else None

    def kill(self) -> None:
        """SIGKILL the app's server, as the kernel does if memory runs out."""
        if pid := self.pid:
            processes.send(pid, signal.SIGKILL)
            processes.wait_until_gone([pid])

    def __enter__(self) -> TmuxServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill both servers and all that they have started: runs outlive their server."""
        processes.end_all_with_variable("TMUX_TMPDIR", str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)
