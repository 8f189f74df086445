"""`doctor`: raw facts about the host; what they mean is decided elsewhere."""

from __future__ import annotations

import os
import platform
import pwd
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Iterator, Optional

from .. import environment
from ..wire import DiskSpace, DoctorParams, HostFacts, ProgramFound
from .requests import Request

SSHD_CONFIG = Path("/etc/ssh/sshd_config")
SECONDS = 10.0


def doctor(params: DoctorParams, _request: Request) -> HostFacts:
    path = environment.search_path(params.get("environment") or {})
    return {
        "python": platform.python_version(),
        "git": _program("git", ["--version"], path),
        "tmux": _program("tmux", ["-V"], path),
        "disk": _disk(params.get("repo_path")),
        "time": time.time(),
        "sshd": {"max_sessions": max_sessions(SSHD_CONFIG)},
        "shell": environment.login_shell(),
        "path": path,
        "user": _user(),
        "uid": os.getuid(),
    }


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _program(name: str, words: "list[str]", path: str) -> ProgramFound:
    found = environment.find(name, path)
    if not found:
        return {"path": None, "version": None}
    try:
        said = subprocess.run([found, *words], capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return {"path": found, "version": None}
    match = re.search(r"\d+\.\d+\S*", said.stdout.decode("utf-8", "replace"))
    return {"path": found, "version": match.group(0) if match else None}


def _disk(repo: Optional[str]) -> DiskSpace:
    """Free and whole bytes where the repository lies, or would lie."""
    path = Path(repo) if repo else Path.home()
    while not path.exists() and path != path.parent:
        path = path.parent
    usage = shutil.disk_usage(str(path))
    return {"path": str(path), "free_bytes": usage.free, "total_bytes": usage.total}


def max_sessions(config: Path) -> Optional[int]:
    """sshd's MaxSessions where it is set; None when it is not, or nobody lets us look."""
    for line in _config_lines(config):
        words = line.split()
        if len(words) == 2 and words[0].lower() == "maxsessions" and words[1].isdigit():
            return int(words[1])
    return None


def _config_lines(config: Path) -> Iterator[str]:
    """Lines before any Match block, Includes followed: the first value counts."""
    try:
        lines = config.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        if words and words[0].lower() == "match":
            return
        if len(words) > 1 and words[0].lower() == "include":
            for pattern in words[1:]:
                root = config.parent if not pattern.startswith("/") else Path("/")
                for path in sorted(root.glob(pattern.lstrip("/"))):
                    yield from _config_lines(path)
        else:
            yield line
