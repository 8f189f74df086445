"""`limits`: the plan limits that the CLIs report. Each CLI is started for this query."""

from __future__ import annotations

import time
from typing import Dict, Literal, Tuple

from .. import environment
from ..base.cli import AgentCli
from ..base.talk import MALFORMED, NoAnswer, NoPlan, NotSupported
from ..wire import EnvironmentParams, LimitsAnswer, PlanLimits
from .questions import ask_all, started
from .requests import Request

LIMIT_SECONDS = 15.0
FALLBACK_SECONDS = 25.0
"""For the fallback, if the CLI does not support the query."""


def limits(params: EnvironmentParams, request: Request) -> Dict[str, LimitsAnswer]:
    """Query all CLIs in parallel, and return their answers by name."""
    given = params.get("environment") or {}

    def ask(_name: str, cli: AgentCli) -> LimitsAnswer:
        return _ask_one(cli, environment.variables(given, also=cli.variables), request)

    return ask_all(ask)


def _ask_one(cli: AgentCli, env: Dict[str, str], request: Request) -> LimitsAnswer:
    path = environment.find(cli.program, env["PATH"])
    answer: LimitsAnswer = {
        "path": path,
        "account": "",
        "windows": [],
        "way": "asked",
        "has_plan": True,
        "error": None,
    }
    if not path:
        answer["error"] = f"{cli.program} is not installed, or not on the PATH."
        return answer
    try:
        answer["way"], plan = _read(cli, path, env, request)
        answer["account"], answer["windows"] = plan["account"], plan["windows"]
    except NoAnswer as error:
        answer["error"], answer["has_plan"] = str(error), not isinstance(error, NoPlan)
    except (OSError, *MALFORMED) as error:
        answer["error"] = f"{cli.program} returned malformed limits: {error!r}"
    return answer


def _read(
    cli: AgentCli, path: str, env: Dict[str, str], request: Request
) -> Tuple[Literal["asked", "screen"], PlanLimits]:
    try:
        return "asked", _query(cli, path, env, request)
    except NotSupported as refusal:
        try:
            return "screen", cli.read_limits(path, env, time.monotonic() + FALLBACK_SECONDS)
        except NoAnswer as error:
            raise NoAnswer(f"{refusal} {error}") from None


def _query(cli: AgentCli, path: str, env: Dict[str, str], request: Request) -> PlanLimits:
    with started(cli, path, env, time.monotonic() + LIMIT_SECONDS, request) as talk:
        return cli.ask_limits(talk)
