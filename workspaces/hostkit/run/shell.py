"""The shell in the worktree that a window runs after a run has ended."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Tuple

from .. import environment, ports, processes
from ..folder import RunFolder

if TYPE_CHECKING:
    from ..wire import ShellSpec


def main(path: str) -> int:
    """Print the earlier output unchanged, because the recorder skips as many bytes, and start a shell."""
    folder = RunFolder(path)
    with suppress(FileNotFoundError):  # there is no earlier output
        sys.stdout.buffer.write(folder.history.read_bytes())
    become_shell(folder.read_spec() or {"worktree": "", "environment": {}})
    return 0


def become_shell(spec: ShellSpec) -> None:
    """Replace this process with the user's login shell, with the run's environment. Does not return."""
    sys.stdout.flush()
    _reset_signals()
    processes.become_subreaper(False)
    folder, shell, variables = shell_of(spec)
    os.chdir(folder)
    os.execve(shell, [shell, "-l"], variables)


def shell_of(spec: ShellSpec) -> Tuple[str, str, Dict[str, str]]:
    """Return the folder, the program and the environment of the shell."""
    folder = _first_folder(str(spec.get("worktree") or ""), str(Path.home()))
    return folder, environment.login_shell(), _shell_environment(spec)


def _shell_environment(spec: ShellSpec) -> Dict[str, str]:
    result = {**os.environ, **ports.variable(str(spec.get("worktree") or ""))}
    result.update({name: str(value) for name, value in (spec.get("environment") or {}).items()})
    return result


def _first_folder(*folders: str) -> str:
    return next((folder for folder in folders if folder and Path(folder).is_dir()), "/")


def _reset_signals() -> None:
    """Restore default signal handling, because the shell would inherit ignored and blocked signals."""
    for name in ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGHUP", "SIGTERM", "SIGCHLD", "SIGPIPE"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
