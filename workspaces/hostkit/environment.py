"""Where programs are found, and with which variables they run."""

from __future__ import annotations

import os
import pwd
import selectors
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Dict, List, Mapping, Optional

SHELL_SECONDS = 5.0
END_SECONDS = 1.0
CHUNK = 64 * 1024
FRAME = "--aitask-environment--"
FOREIGN = ("TMUX", "TMUX_PANE", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT")
"""Variables of whatever started us that would make a program believe it runs inside that."""
_lock = threading.Lock()
_shell_path: Optional[List[str]] = None
_shell: Optional["subprocess.Popen[bytes]"] = None


def login_shell() -> str:
    """The person's shell: $SHELL, else what the password file says."""
    shell = os.environ.get("SHELL") or ""
    if not shell:
        try:
            shell = pwd.getpwuid(os.getuid()).pw_shell
        except KeyError:
            shell = ""
    return shell if os.access(shell, os.X_OK) else "/bin/sh"


def search_path(environment: Mapping[str, str]) -> str:
    """The PATH of a workspace: its own, else ours, then what the login shell adds, then the usual places."""
    if environment.get("PATH"):
        return environment["PATH"]
    home = Path.home()
    folders = os.environ.get("PATH", os.defpath).split(":")
    folders += _path_of_login_shell()
    folders += [str(home / ".local/bin"), str(home / ".npm-global/bin"), "/usr/local/bin"]
    return ":".join(dict.fromkeys(folder for folder in folders if folder))


def variables(extra: Mapping[str, str], path: Optional[str] = None) -> Dict[str, str]:
    """The environment for a program: ours without the traces of tmux and other agents, and `extra`."""
    result = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    result["PATH"] = path or search_path(extra)
    result.update({name: str(value) for name, value in extra.items()})
    return result


def find(program: str, path: str) -> Optional[str]:
    return shutil.which(program, path=path)


def _path_of_login_shell() -> List[str]:
    global _shell_path
    with _lock:
        if _shell_path is None:
            _shell_path = _ask_login_shell()
        return _shell_path


def _ask_login_shell() -> List[str]:
    """PATH as an interactive login shell has it: many people extend it only there."""
    global _shell
    script = f"echo {FRAME}; /usr/bin/env; echo {FRAME}"
    _shell = subprocess.Popen(
        [login_shell(), "-lic", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert _shell.stdout
    with _shell.stdout as said:
        out = _until_framed(said, time.monotonic() + SHELL_SECONDS)
    end_login_shell()
    with suppress(subprocess.TimeoutExpired):
        _shell.wait(END_SECONDS)
    return _framed_path(out.decode("utf-8", "surrogateescape"))


def _until_framed(pipe: IO[bytes], deadline: float) -> bytes:
    """What is said up to the second mark: a daemon of an rc file may hold the pipe open for ever."""
    out = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while out.count(FRAME.encode()) < 2 and selector.select(max(0.0, deadline - time.monotonic())):
            said = os.read(pipe.fileno(), CHUNK)
            if not said:
                break
            out += said
    return out


def end_login_shell() -> None:
    """Nobody waits for its rest, nor at all when we leave while it is asked.

    As when a terminal closes: what is killed outright may leave its locks behind (pyenv's rehash does).
    """
    if _shell and _shell.returncode is None:
        with suppress(OSError):
            os.killpg(_shell.pid, signal.SIGHUP)


def _framed_path(out: str) -> List[str]:
    """rc files print what they like; only what stands between our marks counts."""
    parts = out.split(FRAME)
    framed = parts[1] if len(parts) >= 3 else ""
    lines = [line[5:] for line in framed.splitlines() if line.startswith("PATH=")]
    return lines[0].split(":") if lines else []
