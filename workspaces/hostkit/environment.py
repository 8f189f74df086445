"""Where programs are found, and with which variables they run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Dict, List, Mapping, Optional

SHELL_SECONDS = 5.0
FRAME = "--aitask-environment--"
FOREIGN = ("TMUX", "TMUX_PANE", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT")
"""Variables of whatever started us that would make a program believe it runs inside that."""
_lock = threading.Lock()
_shell_path: Optional[List[str]] = None


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
    script = f"echo {FRAME}; /usr/bin/env; echo {FRAME}"
    process = subprocess.Popen(
        [login_shell(), "-lic", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=SHELL_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return []
    return _framed_path(out.decode("utf-8", "surrogateescape"))


def _framed_path(out: str) -> List[str]:
    """rc files print what they like; only what stands between our marks counts."""
    parts = out.split(FRAME)
    framed = parts[1] if len(parts) >= 3 else ""
    lines = [line[5:] for line in framed.splitlines() if line.startswith("PATH=")]
    return lines[0].split(":") if lines else []
