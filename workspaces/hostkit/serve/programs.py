"""`programs`: which program of each CLI a run would start now, without starting it: it takes milliseconds."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Dict, Mapping

from .. import agents, environment
from ..base.cli import AgentCli
from ..base.program import fingerprint, version_on_disk
from ..wire import ProgramSeen, ProgramsParams
from . import probe
from .requests import Request

VERSION_SECONDS = 20.0
"""How long a program may take to print its version. A busy host starts a CLI in five seconds."""


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
