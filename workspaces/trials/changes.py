"""Changes of the rows of installed CLIs: each is a compare-and-set on the program that was looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from aitask.lib import doorbell
from aitask.lib.text import storable
from workspaces.catalog import services as catalog_services
from workspaces.hostkit import wire
from workspaces.models import InstalledCli
from workspaces.trials.verdicts import TurnVerdict

State = InstalledCli.State
MISSING, NO_START = "missing", "no_start"
PAUSES = (timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""Pauses before a held program is tried again. After the last one, only a change or a user tries it."""
MOST = 500
MOST_WORDS = 250
"""Characters of what a CLI says that a reason quotes."""


def note_seen(row: InstalledCli, seen: wire.ProgramSeen) -> InstalledCli:
    """Save which program was found, and what follows if it is another one. Returns the row as it is then."""
    now = timezone.now()
    rows = InstalledCli.objects.filter(pk=row.pk, fingerprint=row.fingerprint, state=row.state)
    if seen["fingerprint"] == row.fingerprint and (row.fingerprint or row.code == MISSING):
        rows.update(looked_at=now)
        row.looked_at = now
        return row
    values = _missing(row) if not seen["path"] else _found(row, seen)
    if rows.update(looked_at=now, **values):
        row.refresh_from_db()
        doorbell.ring("board", "queue")
        if row.state == State.TRYING:
            catalog_services.request_list(row.host, row.environment)  # it may offer other models
    else:
        row.refresh_from_db()
    return row


def _missing(row: InstalledCli) -> dict[str, Any]:
    where = row.host.label
    if row.path:
        reason = f"{row.label} is gone from {where}: there is no {row.path} any more{row.last_good}."
    else:
        reason = f"{row.label} is not installed on {where}, or not on the PATH."
    values = {"state": State.HELD, "code": MISSING, "reason": clean(reason)}
    return {**values, "fingerprint": "", "version": "", "tries": 0, "try_at": None, "wanted": False}


def _found(row: InstalledCli, seen: wire.ProgramSeen) -> dict[str, Any]:
    """Return the values for another program than before."""
    values: dict[str, Any] = {
        "path": clean(seen["path"] or "", 1000),
        "program": clean(seen["real_path"], 1000),
        "version": clean(seen["version"] or "", 50),
        "fingerprint": seen["fingerprint"],
        "changed_at": timezone.now(),
        **{"code": "", "reason": "", "tries": 0, "try_at": None},
    }
    if seen["problem"]:
        reason = f"{row.label} on {row.host.label} is broken: {seen['problem']}"
        return {**values, "state": State.HELD, "code": NO_START, "reason": clean(reason)}
    if seen["fingerprint"] == row.good_fingerprint:
        return {**values, "state": State.GOOD, "version": values["version"] or row.good_version}
    if known := _proven_elsewhere(row, seen["fingerprint"]):
        return {**values, "state": State.GOOD, **known}
    if not row.fingerprint and not row.good_fingerprint:
        return {**values, "state": State.UNPROVEN}  # seen for the first time, so it has not changed
    return {**values, "state": State.TRYING, "try_at": timezone.now()}


def _proven_elsewhere(row: InstalledCli, fingerprint: str) -> dict[str, Any]:
    """Return what is good about this very program in another environment of the host; empty if nothing is."""
    others = InstalledCli.objects.filter(host=row.host, backend=row.backend, good_fingerprint=fingerprint)
    names = ("good_version", "good_fingerprint", "good_program", "good_at")
    return others.exclude(pk=row.pk).values(*names).first() or {}


def save_good(row: InstalledCli, version: str) -> bool:
    """Save that this program has finished a turn."""
    now, known = timezone.now(), clean(version or row.version, 50)
    values = {
        **{"state": State.GOOD, "code": "", "reason": "", "tries": 0, "try_at": None, "wanted": False},
        **{"version": known, "good_version": known, "good_at": now, "good_fingerprint": row.fingerprint},
        "good_program": row.program,
    }
    return save(row, **values)


def save_verdict(row: InstalledCli, verdict: TurnVerdict, *, version: str = "") -> bool:
    """Save what a trial turn has shown. Does nothing if the program has changed in the meantime."""
    now = timezone.now()
    row.version = clean(version or row.version, 50)
    done = {"tried_at": now, "wanted": False, "version": row.version}
    if verdict.is_good:
        return save_good(row, row.version) and save(row, **done)
    if verdict.is_good is None:
        state = row.state if row.state == State.GOOD else State.UNPROVEN
        return save(row, state=state, code=verdict.code, reason=clean(verdict.words), try_at=None, **done)
    words = clean(verdict.words, MOST_WORDS).rstrip(".")
    reason = f"{row.name} on {row.host.label} {words}{row.last_good}."
    pause = PAUSES[row.tries] if row.tries < len(PAUSES) else None
    again = {"tries": min(row.tries + 1, 1000), "try_at": now + pause if pause else None}
    return save(row, state=State.HELD, code=verdict.code, reason=clean(reason), **again, **done)


def save(row: InstalledCli, **values: Any) -> bool:
    """Save these values if the row still is about the same program."""
    rows = InstalledCli.objects.filter(pk=row.pk, fingerprint=row.fingerprint)
    changed = bool(rows.update(**values))
    if changed:
        doorbell.ring("board", "queue")
    row.refresh_from_db()
    return changed


def clean(text: str, most: int = MOST) -> str:
    """Return words of a host on one line, as a column can store them."""
    words = " ".join(str(storable(text)).split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
