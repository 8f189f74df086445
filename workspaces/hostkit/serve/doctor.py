"""`doctor`: facts about the host for the health check, which the app evaluates."""

from __future__ import annotations

import os
import platform
import pwd
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Dict, Iterable, Iterator, Optional

from .. import environment
from ..wire import DiskSpace, DoctorParams, HostFacts, ProgramFound
from .requests import Request

SSHD_CONFIG = Path("/etc/ssh/sshd_config")
LOGIND_FOLDERS = tuple(Path(folder) for folder in ("/usr/lib/systemd", "/run/systemd", "/etc/systemd"))
LINGER = Path("/var/lib/systemd/linger")
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
        "ends_with_login": ends_with_login(LOGIND_FOLDERS, LINGER),
    }


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _program(name: str, arguments: "list[str]", path: str) -> ProgramFound:
    found = environment.find(name, path)
    if not found:
        return {"path": None, "version": None}
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return {"path": found, "version": None}
    match = re.search(r"\d+\.\d+\S*", done.stdout.decode("utf-8", "replace"))
    return {"path": found, "version": match.group(0) if match else None}


def _disk(repo: Optional[str]) -> DiskSpace:
    """Return free and total bytes of the disk of the repository, or of its nearest existing parent."""
    path = Path(repo) if repo else Path.home()
    while not path.exists() and path != path.parent:
        path = path.parent
    usage = shutil.disk_usage(str(path))
    return {"path": str(path), "free_bytes": usage.free, "total_bytes": usage.total}


def ends_with_login(folders: Iterable[Path], linger: Path) -> bool:
    """Return whether logind ends this user's programs at log-out (KillUserProcesses without linger).

    `folders` have logind.conf and its drop-ins, in the order in which later settings win.
    """
    settings = {"KillUserProcesses": "no", "KillExcludeUsers": "root"}
    for folder in folders:
        for path in [folder / "logind.conf", *sorted(folder.glob("logind.conf.d/*.conf"))]:
            settings.update(_settings(path))
    kills = settings["KillUserProcesses"].lower() in ("yes", "true", "on", "1")
    user = _user()
    return kills and user not in settings["KillExcludeUsers"].split() and not (linger / user).exists()


def _settings(path: Path) -> Dict[str, str]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    parts = (line.partition("=") for line in lines if not line.lstrip().startswith(("#", ";")))
    return {name.strip(): value.strip() for name, equals, value in parts if equals}


def max_sessions(config: Path) -> Optional[int]:
    """Return sshd's MaxSessions, or None if it is not set or can't be read."""
    for line in _config_lines(config):
        fields = line.split()
        if len(fields) == 2 and fields[0].lower() == "maxsessions" and fields[1].isdigit():
            return int(fields[1])
    return None


def _config_lines(config: Path) -> Iterator[str]:
    """Yield the lines before any Match block, and those of included files. sshd uses the first value."""
    try:
        lines = config.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if fields and fields[0].lower() == "match":
            return
        if len(fields) > 1 and fields[0].lower() == "include":
            for pattern in fields[1:]:
                root = config.parent if not pattern.startswith("/") else Path("/")
                for path in sorted(root.glob(pattern.lstrip("/"))):
                    yield from _config_lines(path)
        else:
            yield line
