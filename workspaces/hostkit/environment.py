"""The search path and environment variables for programs."""

from __future__ import annotations

import fnmatch
import os
import pwd
import re
import selectors
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Dict, List, Mapping, Optional, Sequence

from . import ports

SHELL_SECONDS = 5.0
END_SECONDS = 1.0
CHUNK = 64 * 1024
FRAME = "--aitask-environment--"
FOREIGN = ("TMUX", "TMUX_PANE", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT")
"""Variables of the parent program. With them, a program would believe that it runs inside of it."""
ALLOWED = (
    *("HOME", "PATH", "USER", "LOGNAME", "SHELL", "TZ", "TZDIR"),
    *("LANG", "LANGUAGE", "LC_*", "LOCALE_ARCHIVE"),
    *("TERM", "COLORTERM", "TERMINFO", "TERMINFO_DIRS", "NO_COLOR", "TMPDIR", "TMP", "TEMP", "XDG_*"),
    *("EDITOR", "VISUAL", "PAGER", "AITASK_*"),
    # the network
    *("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "NO_PROXY"),
    *("SSL_CERT_*", "NIX_SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    # folders of tools
    *("LD_LIBRARY_PATH", "NIX_PATH", "NIX_PROFILES", "JAVA_HOME", "GOPATH", "GOROOT", "CARGO_HOME"),
    *("RUSTUP_HOME", "NVM_DIR", "FNM_DIR", "VOLTA_HOME", "PNPM_HOME", "BUN_INSTALL", "DENO_DIR"),
    *("PYENV_ROOT", "RBENV_ROOT", "GEM_HOME", "GEM_PATH", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR"),
    *("SDKMAN_DIR", "MAVEN_HOME", "M2_HOME", "GRADLE_USER_HOME", "ANDROID_HOME", "ANDROID_SDK_ROOT"),
)
"""Patterns of the variables that agents get. All others could hold a secret; a workspace can set them."""
SSH_AGENT = ("SSH_AUTH_SOCK", "SSH_AGENT_PID")
_lock = threading.Lock()
_shell_path: Optional[List[str]] = None
_shell: Optional["subprocess.Popen[bytes]"] = None


def login_shell() -> str:
    """Return the user's shell: $SHELL, else the one in the password file, else /bin/sh."""
    shell = os.environ.get("SHELL") or ""
    if not shell:
        try:
            shell = pwd.getpwuid(os.getuid()).pw_shell
        except KeyError:
            shell = ""
    return shell if os.access(shell, os.X_OK) else "/bin/sh"


def search_path(environment: Mapping[str, str]) -> str:
    """Return the workspace's PATH if set, else ours, extended by the login shell's and common folders."""
    if environment.get("PATH"):
        return environment["PATH"]
    home = Path.home()
    folders = os.environ.get("PATH", os.defpath).split(":")
    folders += _path_of_login_shell()
    folders += [str(home / ".local/bin"), str(home / ".npm-global/bin"), "/usr/local/bin"]
    return ":".join(dict.fromkeys(folder for folder in folders if folder))


def variables(
    extra: Mapping[str, str], path: Optional[str] = None, *, also: Sequence[str] = (), ssh_agent: bool = False
) -> Dict[str, str]:
    """Return the environment for a program that an agent controls: what is allowed of ours, plus `extra`.

    `also` are the patterns of a CLI. Tokens and keys of the login stay out, and its ssh agent, too, unless
    the workspace lends it.
    """
    patterns = (*ALLOWED, *also, *(SSH_AGENT if ssh_agent else ()))
    allowed = re.compile("|".join(map(fnmatch.translate, patterns)))
    return _with(extra, path, {name: value for name, value in os.environ.items() if allowed.match(name)})


def of_spec(
    spec: Mapping[str, Any], also: Sequence[str] = (), *, folder: Optional[Path] = None
) -> Dict[str, str]:
    """Return the environment for the programs of a run or a check.

    With `folder`, that of the run, they get the port of the worktree, and a tmux server of their own: their
    `tmux kill-server` ends neither the user's sessions nor ours.
    """
    extra, lent = dict(spec.get("environment") or {}), bool(spec.get("ssh_agent"))
    if folder:
        tmux = folder / "tmux"
        tmux.mkdir(mode=0o700, exist_ok=True)  # without it, tmux would take the user's server
        extra = {"TMUX_TMPDIR": os.fspath(tmux), **ports.variable(str(spec.get("worktree") or "")), **extra}
    return variables(extra, spec.get("path"), also=also, ssh_agent=lent)


def own_variables(extra: Mapping[str, str]) -> Dict[str, str]:
    """Return the environment for commands of the app, such as a push: all of ours, plus `extra`."""
    return _with(extra, None, dict(os.environ))


def _with(extra: Mapping[str, str], path: Optional[str], found: Dict[str, str]) -> Dict[str, str]:
    result = {name: value for name, value in found.items() if name not in FOREIGN}
    result["PATH"] = path or search_path(extra)
    result.update({name: str(value) for name, value in extra.items()})
    return result


def find(program: str, path: str) -> Optional[str]:
    return shutil.which(program, path=path)


def _path_of_login_shell() -> List[str]:
    global _shell_path
    with _lock:
        if _shell_path is None:
            _shell_path = _read_login_shell_path()
        return _shell_path


def _read_login_shell_path() -> List[str]:
    """Return the PATH of an interactive login shell: many users extend it only there."""
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
    with _shell.stdout as pipe:
        out = _read_framed(pipe, time.monotonic() + SHELL_SECONDS)
    end_login_shell()
    with suppress(subprocess.TimeoutExpired):
        _shell.wait(END_SECONDS)
    return _framed_path(out.decode("utf-8", "surrogateescape"))


def _read_framed(pipe: IO[bytes], deadline: float) -> bytes:
    """Read up to the second frame, not to the end: a daemon of an rc file may keep the pipe open forever."""
    out = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while out.count(FRAME.encode()) < 2 and selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(pipe.fileno(), CHUNK)
            if not chunk:
                break
            out += chunk
    return out


def end_login_shell() -> None:
    """End the login shell after it has printed its PATH, or when this process exits before that.

    SIGHUP, as when a terminal closes: if killed, its programs could leave locks (pyenv's rehash does).
    """
    if _shell and _shell.returncode is None:
        with suppress(OSError):
            os.killpg(_shell.pid, signal.SIGHUP)


def _framed_path(out: str) -> List[str]:
    """Parse the PATH between the frames. rc files may print other text before and after."""
    parts = out.split(FRAME)
    framed = parts[1] if len(parts) >= 3 else ""
    lines = [line[5:] for line in framed.splitlines() if line.startswith("PATH=")]
    return lines[0].split(":") if lines else []
