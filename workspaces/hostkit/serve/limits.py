"""`limits`: how full the plans are, in the CLIs' own words. Each is started for the one question."""

from __future__ import annotations

import time
from typing import Dict, Literal, Tuple

from .. import environment
from ..base.cli import AgentCli
from ..base.talk import NONSENSE, NoAnswer, NoPlan, NotSupported
from ..wire import EnvironmentParams, LimitsAnswer, PlanLimits
from .questions import ask_all, talking
from .requests import Request

LIMIT_SECONDS = 15.0
OTHERWISE_SECONDS = 25.0
"""For the last resort, after the CLI has refused the question."""


def limits(params: EnvironmentParams, request: Request) -> Dict[str, LimitsAnswer]:
    """By CLI; all asked at once."""
    env = environment.variables(params.get("environment") or {})
    return ask_all(lambda _name, cli: _ask_one(cli, env, request))


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
        answer["way"], said = _told(cli, path, env, request)
        answer["account"], answer["windows"] = said["account"], said["windows"]
    except NoAnswer as error:
        answer["error"], answer["has_plan"] = str(error), not isinstance(error, NoPlan)
    except (OSError, *NONSENSE) as error:
        answer["error"] = f"{cli.program} gave no limits that make sense: {error!r}"
    return answer


def _told(
    cli: AgentCli, path: str, env: Dict[str, str], request: Request
) -> Tuple[Literal["asked", "screen"], PlanLimits]:
    try:
        return "asked", _asked(cli, path, env, request)
    except NotSupported as refusal:
        try:
            return "screen", cli.read_limits(path, env, time.monotonic() + OTHERWISE_SECONDS)
        except NoAnswer as error:
            raise NoAnswer(f"{refusal} {error}") from None


def _asked(cli: AgentCli, path: str, env: Dict[str, str], request: Request) -> PlanLimits:
    with talking(cli, path, env, time.monotonic() + LIMIT_SECONDS, request) as talk:
        return cli.ask_limits(talk)
