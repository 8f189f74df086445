"""Read what is known about installed CLIs. Nothing here connects to a host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aitask.lib.formats import in_words
from workspaces import clis
from workspaces.catalog.queries import place_of
from workspaces.models import InstalledCli, Workspace
from workspaces.trials.changes import MISSING


def rows_of(workspace: Workspace) -> dict[str, InstalledCli]:
    """Return the programs that runs of the workspace start, by CLI, as far as they were looked at."""
    key, digest = place_of(workspace)
    rows = InstalledCli.objects.filter(host__key=key, environment=digest).select_related("host")
    found = {row.backend: row for row in rows}
    return {name: found[name] for name in clis.names() if name in found}


def hold_of(row: InstalledCli, workspace: Workspace) -> str:
    """Return why runs of the workspace wait for this CLI, as a sentence; empty if they don't.

    A setup command may install a CLI that was never there.
    """
    if not workspace.try_changed_clis:
        return ""
    never_there = row.code == MISSING and not row.path
    return "" if never_there and workspace.setup_command.strip() else row.hold_reason


def hold_reasons(workspace: Workspace) -> dict[str, str]:
    """Return why runs of the workspace wait, by CLI; only those that wait."""
    if not workspace.try_changed_clis:
        return {}
    reasons = {name: hold_of(row, workspace) for name, row in rows_of(workspace).items()}
    return {name: reason for name, reason in reasons.items() if reason}


@dataclass(frozen=True)
class HeldCli:
    """A CLI on hold, and a workspace whose runs it would hold."""

    row: InstalledCli
    workspace: Workspace


def held_for(workspaces: Iterable[Workspace]) -> list[HeldCli]:
    """Return the CLIs that are on hold for any of these workspaces, each once."""
    places: dict[tuple[str, str], Workspace] = {}
    for workspace in workspaces:
        if workspace.try_changed_clis:
            places.setdefault(place_of(workspace), workspace)
    rows = InstalledCli.objects.filter(
        state=InstalledCli.State.HELD, host__key__in={key for key, _ in places}
    ).select_related("host")
    return [
        HeldCli(row, places[place])
        for row in rows.order_by("pk")
        if row.is_held and (place := (row.host.key, row.environment)) in places
    ]


def words_about(row: InstalledCli) -> str:
    """Return in a few sentences whether the program works, which one last did, and when that was tried."""
    return " ".join(filter(None, (_state_of(row), _last_good(row), _last_trial(row))))


def _state_of(row: InstalledCli) -> str:
    if row.is_trying:
        return "A trial turn is due or in progress."
    if row.state == InstalledCli.State.HELD:
        return f"{'Allowed by a user although on hold' if row.is_allowed else 'On hold'}: {row.reason}"
    if row.code and row.reason:
        return f"The last trial turn showed nothing about the version: {row.reason.rstrip('.')}."
    return "" if row.state == InstalledCli.State.GOOD else "This version has not finished a turn yet."


def _last_good(row: InstalledCli) -> str:
    if not row.good_at:
        return ""
    return f"Last good version: {row.good_version or 'unknown'}, {in_words(row.good_at)}."


def _last_trial(row: InstalledCli) -> str:
    return f"Last trial turn: {in_words(row.tried_at)}." if row.tried_at else "No trial turn yet."
