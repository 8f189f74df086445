"""`probe`: which CLIs are installed, their versions, and whether they are logged in."""

from __future__ import annotations

import re
import subprocess
import time
from typing import Dict, Optional

from .. import environment
from ..base.cli import AgentCli
from ..base.talk import MALFORMED, NoAnswer, output_of
from ..wire import EnvironmentParams, ProbedCli
from .questions import ask_all
from .requests import Request

LIMIT_SECONDS = 10.0
VERSION = re.compile(r"\d+\.\d+\.\d+\S*")


def probe(params: EnvironmentParams, _request: Request) -> Dict[str, ProbedCli]:
    """Query all CLIs in parallel. Each has LIMIT_SECONDS in total."""
    given = params.get("environment") or {}
    return ask_all(lambda _name, cli: _probe_one(cli, environment.variables(given, also=cli.variables)))


def _probe_one(cli: AgentCli, env: Dict[str, str]) -> ProbedCli:
    deadline = time.monotonic() + LIMIT_SECONDS
    path = environment.find(cli.program, env["PATH"])
    answer: ProbedCli = {"path": path, "version": None, "logged_in": None, "detail": ""}
    if not path:
        answer["detail"] = f"{cli.program} is not installed, or not on the PATH."
        return answer
    try:
        answer["version"] = version_of(path, env, deadline)
        login = cli.login(path, env, deadline)
        answer["logged_in"], answer["detail"] = login["logged_in"], login["detail"]
    except (subprocess.TimeoutExpired, OSError, NoAnswer, *MALFORMED) as error:
        answer["detail"] = f"{cli.program} did not answer: {error}"
    return answer


def version_of(path: str, env: Dict[str, str], deadline: float) -> Optional[str]:
    """Return the output of `--version`, or only the number in it. Raises TimeoutExpired or OSError."""
    output = output_of([path, "--version"], env, deadline)
    match = VERSION.search(output)
    return match.group(0) if match else output.strip() or None
