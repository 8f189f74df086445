"""`limits`: how full the plans are, in the CLIs' own words. Each is started for the one question."""

from __future__ import annotations

import threading
import time
from typing import Dict

from .. import environment
from ..agents import LIMITS
from ..base.talk import Catalog, NoAnswer, NoPlan, NotSupported, Talk
from ..files import Json
from . import commands
from .requests import Request

LIMIT_SECONDS = 15.0
OTHERWISE_SECONDS = 25.0
"""For the last resort, after the CLI has refused the question."""


def limits(params: Json, request: Request) -> Json:
    """{backend: {path, account, windows: [{window, used_percent, resets_at}], way: "asked"|"screen", error}};
    all asked at once."""
    env = environment.variables(params.get("environment") or {})
    found: Dict[str, Json] = {}

    def ask(catalog: Catalog) -> None:
        found[catalog.backend] = _ask_one(catalog, env, request)

    threads = [threading.Thread(target=ask, args=(make(),), daemon=True) for make in LIMITS.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _ask_one(catalog: Catalog, env: Dict[str, str], request: Request) -> Json:
    path = environment.find(catalog.program, env["PATH"])
    answer: Json = {
        "path": path,
        "account": "",
        "windows": [],
        "way": "asked",
        "has_plan": True,
        "error": None,
    }
    if not path:
        answer["error"] = f"{catalog.program} is not installed, or not on the PATH."
        return answer
    try:
        answer.update(_told(catalog, path, env, request))
    except NoAnswer as error:
        answer.update(error=str(error), has_plan=not isinstance(error, NoPlan))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        answer["error"] = f"{catalog.program} gave no limits that make sense: {error!r}"
    return answer


def _told(catalog: Catalog, path: str, env: Dict[str, str], request: Request) -> Json:
    try:
        return _asked(catalog, path, env, request)
    except NotSupported as refusal:
        try:
            said = catalog.ask_otherwise(path, env, time.monotonic() + OTHERWISE_SECONDS)
        except NoAnswer as error:
            raise NoAnswer(f"{refusal} {error}") from None
        return dict(said, way="screen")


def _asked(catalog: Catalog, path: str, env: Dict[str, str], request: Request) -> Json:
    talk = Talk(catalog.command_line(path), env, time.monotonic() + LIMIT_SECONDS)
    request.on_change(lambda: talk.end() if request.cancelled else None)
    try:
        with commands.ended_with_us(talk.process):
            return catalog.ask(talk)
    finally:
        talk.close()
