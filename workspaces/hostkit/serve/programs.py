"""`programs`: which program of each CLI a run would start now, without starting it: it takes milliseconds."""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from .. import agents, environment
from ..base.cli import AgentCli
from ..files import loads
from ..wire import ProgramSeen, ProgramsParams
from . import probe
from .requests import Request

VERSION_SECONDS = 20.0
"""How long a program may take to print its version. A busy host starts a CLI in five seconds."""
VERSION = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
PARENTS = 3
"""How many folders above a program can have its package.json."""
MAX_MANIFEST = 1 << 20


def programs(params: ProgramsParams, _request: Request) -> Dict[str, ProgramSeen]:
    """Look for the programs of these CLIs. With `ask_version` they are started to print their version."""
    given = params.get("environment") or {}
    names = params.get("backends") or agents.names()
    found = {}
    for name in names:
        cli = agents.get(name)
        env = environment.variables(given, also=cli.variables)
        found[name] = seen(cli, env, ask_version=bool(params.get("ask_version")))
    return found


def seen(cli: AgentCli, env: Mapping[str, str], *, ask_version: bool = False) -> ProgramSeen:
    path = environment.find(cli.program, env["PATH"])
    if not path:
        return {"path": None, "real_path": "", "fingerprint": "", "version": None, "problem": ""}
    files = cli.program_files(path)
    state: ProgramSeen = {
        "path": path,
        "real_path": str(Path(path).resolve()),
        "fingerprint": fingerprint(files),
        "version": version_on_disk(files),
        "problem": "",
    }
    if ask_version:
        _ask(state, path, dict(env))
    return state


def _ask(state: ProgramSeen, path: str, env: Dict[str, str]) -> None:
    """Add the version that the program prints, or why it can't be executed."""
    try:
        state["version"] = probe.version_of(path, env, time.monotonic() + VERSION_SECONDS) or state["version"]
    except OSError as error:
        state["problem"] = f"{path} can't be executed: {error.strerror or error}."
    except subprocess.TimeoutExpired:
        pass  # a turn shows whether it works


def fingerprint(files: List[Path]) -> str:
    """Return a hash that changes when one of these files changes, appears or disappears."""
    states = []
    for path in files:
        try:
            stat = path.stat()
            states.append([str(path.resolve()), stat.st_ino, stat.st_size, stat.st_mtime_ns])
        except OSError:
            states.append([str(path)])
    return hashlib.sha256(repr(states).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def version_on_disk(files: List[Path]) -> Optional[str]:
    """Return the version in the package.json of a program, or in its name; None if there is none."""
    for path in files:
        real = path.resolve()
        for folder in list(real.parents)[:PARENTS]:
            version = _version_in(folder / "package.json")
            if version:
                return version
        if VERSION.fullmatch(real.name):  # as ~/.local/share/claude/versions/2.1.332
            return real.name
    return None


def _version_in(manifest: Path) -> Optional[str]:
    try:
        if manifest.stat().st_size > MAX_MANIFEST:
            return None
        found = loads(manifest.read_bytes())
    except (OSError, ValueError):
        return None
    version = found.get("version") if isinstance(found, dict) and found.get("bin") else None
    return version if isinstance(version, str) and VERSION.fullmatch(version) else None
