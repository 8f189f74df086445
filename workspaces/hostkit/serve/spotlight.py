"""Verbs for Spotlight: show a commit in a checkout, go back, and say what is shown."""

from __future__ import annotations

import subprocess
from typing import Callable, Optional

from ..git import places
from ..git.places import UnsafeGitFolder
from ..spotlight.checkout import CanNot, Checkout
from ..spotlight.commands import CheckoutSpotlight, PutBack
from ..spotlight.journal import SpotlightJournal
from ..wire import (
    PathParams,
    SpotlightAnswer,
    SpotlightParams,
    SpotlightPhase,
    SpotlightRefusal,
    SpotlightReturn,
    SpotlightState,
)
from .requests import Request, RequestFailure

MAX_NAMED = 200
OFF: SpotlightState = {
    "phase": "off",
    "commit": "",
    "head": "",
    "owner": {},
    "rescue": "",
    "since": 0.0,
    "files": 0,
}


def spotlight_show(params: SpotlightParams, _request: Request) -> SpotlightAnswer:
    """Show HEAD with the change of a commit, instead of what is shown now. Can be repeated."""

    def show(spotlight: CheckoutSpotlight) -> SpotlightAnswer:
        shown = spotlight.show(params["commit"], params["owner"])
        return {
            "state": _state(shown.journal, is_interrupted=False),
            "covered": shown.covered[:MAX_NAMED],
            "returned": _returned(shown.before),
        }

    return _answer(params["path"], show)


def spotlight_back(params: PathParams, _request: Request) -> SpotlightAnswer:
    """Put a checkout back to how it was before Spotlight. Does nothing if nothing is shown."""
    return _answer(params["path"], lambda spotlight: {"state": OFF, "returned": _returned(spotlight.back())})


def spotlight_state(params: PathParams, _request: Request) -> SpotlightAnswer:
    """Say what is shown in a checkout."""
    return _answer(params["path"], lambda spotlight: {"state": _state(*spotlight.state())})


def _answer(path: str, work: Callable[[CheckoutSpotlight], SpotlightAnswer]) -> SpotlightAnswer:
    """Do the work; a refusal is an answer, too, with what is shown now."""
    try:
        place = places.find(path)
        if place is None or not place.top:
            raise CanNot(f"{path} is not a checkout of a repository.")
        spotlight = CheckoutSpotlight(Checkout(place))
        try:
            return work(spotlight)
        except CanNot as error:
            return {"state": _state(*spotlight.state()), "refused": _refusal(error)}
    except CanNot as error:
        return {"state": OFF, "refused": _refusal(error)}
    except (UnsafeGitFolder, subprocess.SubprocessError) as error:
        raise RequestFailure("failed", str(error)) from None


def _refusal(error: CanNot) -> SpotlightRefusal:
    return {"reason": error.reason, "hint": error.hint, "paths": error.paths[:MAX_NAMED]}


def _returned(done: PutBack) -> SpotlightReturn:
    return {
        "was_on": done.was_on,
        "edited": done.edited[:MAX_NAMED],
        "rescue": done.rescue,
        "left": done.left[:MAX_NAMED],
    }


def _state(journal: Optional[SpotlightJournal], is_interrupted: bool) -> SpotlightState:
    if journal is None:
        return OFF
    phase: SpotlightPhase = (
        "interrupted" if is_interrupted else "shown" if journal.phase == "shown" else "working"
    )
    return {
        "phase": "interrupted" if is_interrupted else phase,
        "commit": journal.commit,
        "head": journal.head,
        "owner": journal.owner,
        "rescue": journal.rescue,
        "since": journal.since,
        "files": len(journal.entries),
    }
