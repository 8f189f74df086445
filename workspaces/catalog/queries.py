"""Read the lists that are kept. Nothing here speaks with a host."""

from __future__ import annotations

from collections.abc import Iterable

from workspaces import clis
from workspaces.models import Host, Workspace
from workspaces.models.model_list import ModelList, digest_of

Place = tuple[str, str]
"""A host's key and the digest of an environment."""
HERE: Place = ("local", "")


def place_of(workspace: Workspace) -> Place:
    return workspace.address.key, digest_of(workspace.environment)


def environments(host: Host) -> set[str]:
    """Digests of what its workspaces set, and the bare one that a new workspace begins with."""
    own = (
        w for w in Workspace.objects.only("kind", "ssh_host", "ssh_user", "environment") if lies_on(w, host)
    )
    return {"", *(digest_of(workspace.environment) for workspace in own)}


def lies_on(workspace: Workspace, host: Host) -> bool:
    return workspace.address.key == host.key


def lists_at(places: Iterable[Place]) -> dict[Place, dict[str, ModelList]]:
    """The lists of these places by CLI, in one query; places that were never asked are left out."""
    wanted = set(places)
    rows = ModelList.objects.filter(host__key__in={key for key, _ in wanted}).select_related("host")
    found: dict[Place, dict[str, ModelList]] = {}
    for row in sorted(rows, key=lambda row: (row.host.key, row.environment, row.backend)):
        place = (row.host.key, row.environment)
        if place in wanted and row.backend in clis.names():
            found.setdefault(place, {})[row.backend] = row
    return found


def lists_of(workspace: Workspace) -> dict[str, ModelList]:
    """What the CLIs offer to this workspace."""
    place = place_of(workspace)
    return lists_at([place]).get(place, {})


def warning(offer: ModelList | None, model: str, effort: str) -> str:
    """What a person should know before a run; empty when there is no list to judge by."""
    if offer is None or not offer.models or not model:
        return ""
    cli = clis.label_of(offer.backend)
    found = offer.find(model)
    if found is None:
        return f"{model} is not in the list of {cli} on {offer.host.label}; it runs only if the CLI knows it."
    levels = [level["id"] for level in found["reasoning_efforts"]]
    if effort and effort not in levels:
        return f"{model} has no effort {effort} on {offer.host.label}; it has {', '.join(levels) or 'none'}."
    return ""


def problem(workspace: Workspace, backend: str, model: str, effort: str) -> dict[str, str]:
    """What the lists say for certain against a choice, by field.

    An alias that no list has is let through, as is the CLI's own choice; both with a level that a model has.
    """
    lists = lists_of(workspace)
    offer = lists.get(backend)
    if offer is None or offer.stale or not offer.models:
        return {}
    if found := offer.find(model):
        return _without(effort, [level["id"] for level in found["reasoning_efforts"]], model)
    others = (clis.label_of(other.backend) for other in lists.values() if other.find(model))
    if owner := next(others, ""):
        return {"model": f"{model} is a model of {owner}."}
    return _without(effort, offer.levels, clis.label_of(backend))


def _without(effort: str, levels: list[str], who: str) -> dict[str, str]:
    """The complaint about a level that is none of these."""
    if not effort or effort in levels:
        return {}
    has = f"has the levels {', '.join(levels)}" if levels else "has no levels of effort"
    return {"reasoning_effort": f"{who} {has}."}
