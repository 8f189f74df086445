"""Spotlight on a host: show a commit in a checkout, go back, and look what is shown.

All of it is done by hostkit (`workspaces/hostkit/spotlight/`), so that a lost link harms nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workspaces.git.commands import GitError
from workspaces.hostkit import wire
from workspaces.hostkit.escapes import some_of, visible
from workspaces.hosts import HostConnection

SECONDS = 600.0


@dataclass(frozen=True)
class CheckoutState:
    """What a checkout shows. `told` are sentences about what the user should know."""

    is_on: bool
    commit: str = ""
    rescue: str = ""
    told: tuple[str, ...] = ()
    is_interrupted: bool = False


def show(host: HostConnection, path: str, commit: str, owner: Mapping[str, str | int]) -> CheckoutState:
    """Show HEAD with the change of a commit in the checkout at `path`. Raises GitError and HostError."""
    params: wire.SpotlightParams = {"path": path, "commit": commit, "owner": dict(owner)}
    return _state(_accepted(host.call("spotlight_show", params, timeout=SECONDS)))


def put_back(host: HostConnection, path: str) -> CheckoutState:
    """Put a checkout back to how it was. Does nothing if nothing is shown. Raises GitError and HostError."""
    return _state(_accepted(host.call("spotlight_back", {"path": path}, timeout=SECONDS)))


def was_put_back(host: HostConnection, path: str) -> bool:
    """Put a checkout back, and return whether something was shown there. Raises GitError and HostError."""
    answer = _accepted(host.call("spotlight_back", {"path": path}, timeout=SECONDS))
    returned = answer.get("returned")
    return bool(returned and returned["was_on"])


def look(host: HostConnection, path: str) -> CheckoutState:
    """Return what a checkout shows. Raises GitError and HostError."""
    return _state(_accepted(host.call("spotlight_state", {"path": path})))


def _accepted(answer: wire.SpotlightAnswer) -> wire.SpotlightAnswer:
    refused = answer.get("refused")
    if refused:
        reason = visible(refused["reason"])
        if refused["paths"]:
            reason = f"{reason.rstrip('.')}: {some_of(refused['paths'])}."
        raise GitError(reason, visible(refused["hint"]), code="spotlight")
    return answer


def _state(answer: wire.SpotlightAnswer) -> CheckoutState:
    state = answer["state"]
    return CheckoutState(
        is_on=state["phase"] != "off",
        commit=state["commit"],
        rescue=state["rescue"],
        told=tuple(_told(answer)),
        is_interrupted=state["phase"] == "interrupted",
    )


def _told(answer: wire.SpotlightAnswer) -> list[str]:
    told = []
    covered, returned = answer.get("covered"), answer.get("returned")
    if covered:
        told.append(f"Until you go back, your uncommitted changes are hidden: {some_of(covered)}.")
    if returned and returned["edited"]:
        names = some_of(returned["edited"])
        told.append(f"Changes made while the task was shown are kept in {returned['rescue']}: {names}.")
    if returned and returned["left"]:
        told.append(f"These files were committed meanwhile, and are kept: {some_of(returned['left'])}.")
    return told
