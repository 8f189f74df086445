"""Read the stored model lists. Nothing here connects to a host."""

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
    """Return the digests of its workspaces' variables, and the empty one of a new workspace."""
    own = (
        w for w in Workspace.objects.only("kind", "ssh_host", "ssh_user", "environment") if lies_on(w, host)
    )
    return {"", *(digest_of(workspace.environment) for workspace in own)}


def lies_on(workspace: Workspace, host: Host) -> bool:
    return workspace.address.key == host.key


def lists_at(places: Iterable[Place]) -> dict[Place, dict[str, ModelList]]:
    """Return the lists of these places by CLI, in one query; a place without lists is left out."""
    wanted = set(places)
    rows = ModelList.objects.filter(host__key__in={key for key, _ in wanted}).select_related("host")
    found: dict[Place, dict[str, ModelList]] = {}
    for row in sorted(rows, key=lambda row: (row.host.key, row.environment, row.backend)):
        place = (row.host.key, row.environment)
        if place in wanted and row.backend in clis.names():
            found.setdefault(place, {})[row.backend] = row
    return found


def lists_of(workspace: Workspace) -> dict[str, ModelList]:
    """Return the workspace's model lists by CLI."""
    place = place_of(workspace)
    return lists_at([place]).get(place, {})


def takes_pictures(workspace: Workspace, backend: str, model: str) -> bool | None:
    """Return whether a model takes pictures; None if its CLI does not say. Empty: the CLI's default."""
    return takes_pictures_of(lists_of(workspace).get(backend), model)


def takes_pictures_of(offer: ModelList | None, model: str) -> bool | None:
    """The same for a model of this list."""
    found = (offer.find(model) if model else offer.recommended) if offer else None
    return found.get("takes_pictures") if found else None


def warning(offer: ModelList | None, model: str, effort: str) -> str:
    """Return a warning about a model or effort that is not in the list; empty if there is no list."""
    if offer is None or not offer.models or not model:
        return ""
    cli = clis.label_of(offer.backend)
    found = offer.find(model)
    if found is None:
        return f"{model} is not in the model list of {cli} on {offer.host.label}. It may not work."
    levels = [level["id"] for level in found["reasoning_efforts"]]
    if effort and effort not in levels:
        return (
            f"{model} has no effort {effort} on {offer.host.label}. Available: {', '.join(levels) or 'none'}."
        )
    return ""


def problem(workspace: Workspace, backend: str, model: str, effort: str) -> dict[str, str]:
    """Return what makes a choice invalid, by field.

    A model that no list has is valid, and so is an empty one, with any level that a model of the CLI has.
    """
    lists = lists_of(workspace)
    offer = lists.get(backend)
    if offer is None or offer.stale or not offer.models:
        return {}
    if found := offer.find(model):
        return _effort_problem(effort, [level["id"] for level in found["reasoning_efforts"]], model)
    others = (clis.label_of(other.backend) for other in lists.values() if other.find(model))
    if owner := next(others, ""):
        return {"model": f"{model} is a model of {owner}."}
    return _effort_problem(effort, offer.levels, clis.label_of(backend))


def _effort_problem(effort: str, levels: list[str], name: str) -> dict[str, str]:
    """Return the error about an effort that is not among the levels; empty if it is."""
    if not effort or effort in levels:
        return {}
    has = f"has the effort levels {', '.join(levels)}" if levels else "has no effort levels"
    return {"reasoning_effort": f"{name} {has}."}
