"""`models`: the models that the CLIs of this host offer."""

from __future__ import annotations

import subprocess
import time
from typing import Dict, Optional

from .. import environment
from ..base.cli import AgentCli
from ..base.program import fingerprint
from ..base.talk import MALFORMED, NoAnswer
from ..wire import ModelOffer, ModelsAnswer, ModelsParams
from . import probe
from .questions import ask_all, started
from .requests import Request

LIMIT_SECONDS = 10.0
VERSION_SECONDS = 3.0


def models(params: ModelsParams, request: Request) -> Dict[str, ModelsAnswer]:
    """Query all CLIs in parallel, except those whose fingerprint has not changed. Return answers by name."""
    given = params.get("environment") or {}
    known = params.get("known") or {}

    def ask(name: str, cli: AgentCli) -> ModelsAnswer:
        started = time.monotonic()
        env = environment.variables(given, also=cli.variables)
        answer = _ask_one(cli, env, known.get(name), request)
        answer["seconds"] = round(time.monotonic() - started, 3)
        return answer

    return ask_all(ask)


def _ask_one(cli: AgentCli, env: Dict[str, str], known: Optional[str], request: Request) -> ModelsAnswer:
    deadline = time.monotonic() + LIMIT_SECONDS
    path = environment.find(cli.program, env["PATH"])
    answer: ModelsAnswer = {
        "path": path,
        "version": None,
        "account": "",
        "logged_in": None,
        "models": [],
        "error": None,
    }
    if not path:
        answer["error"] = f"{cli.program} is not installed, or not on the PATH."
        return answer
    answer["fingerprint"] = fingerprint(cli.files(path, env))
    if known == answer["fingerprint"]:
        answer["unchanged"] = True
        return answer
    try:
        offer = _query(cli, path, env, deadline, request)
        answer["models"], answer["account"] = offer["models"], offer["account"]
        answer["logged_in"] = offer["logged_in"]
        answer["version"] = offer.get("version") or _version(path, env, deadline)
    except NoAnswer as error:
        answer["error"] = str(error)
    except (OSError, *MALFORMED) as error:
        answer["error"] = f"{cli.program} returned a malformed model list: {error!r}"
    return answer


def _query(cli: AgentCli, path: str, env: Dict[str, str], deadline: float, request: Request) -> ModelOffer:
    with started(cli, path, env, deadline, request) as talk:
        offer = cli.ask_models(talk)
    if not offer["models"]:
        raise NoAnswer(f"{cli.program} lists no models.")
    return offer


def _version(path: str, env: Dict[str, str], deadline: float) -> Optional[str]:
    """Return the version of a CLI whose protocol does not report it; None if that fails."""
    try:
        return probe.version_of(path, env, min(deadline, time.monotonic() + VERSION_SECONDS))
    except (subprocess.TimeoutExpired, OSError):
        return None
