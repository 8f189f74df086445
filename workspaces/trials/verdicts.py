"""What the result of a trial turn means for a CLI's version. Pure: no database, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from workspaces.hostkit import wire

TOO_OLD = re.compile(
    r"needs an update|older than the minimum version|version of claude code[^.]{0,60}no longer supported"
    r"|requires a newer version of codex|version (of (claude code|codex) )?is too old|version too old"
    r"|(please|you (must|need to)) (upgrade|update)( to)? .{0,40}(claude code|codex|cli|latest version)"
    r"|(upgrade|update) required|no longer supports? this version|unsupported (client|cli) version",
    re.IGNORECASE,
)
"""How CLIs and services say that a newer version is needed."""
NEEDS_NEWER = "too_old"
NOT_ITS_FAULT = "The version itself may be fine, so runs are not held."


@dataclass(frozen=True)
class TurnVerdict:
    """`is_good` is None if the trial turn showed nothing about the version."""

    is_good: bool | None
    code: str = ""
    words: str = ""
    "What the CLI did or said: the end of a sentence that begins with its name and version."


def says_too_old(text: str) -> bool:
    """Return whether a CLI or service says that this version is too old."""
    return bool(TOO_OLD.search(text))


def verdict_of(answer: wire.TrialAnswer) -> TurnVerdict:
    """Return what a trial turn shows.

    A refused login, a plan limit, and a service that can't be reached or fails are not the version's fault.
    A turn that does not end is, unless the earlier program does not end it now, either.
    """
    code, reason = answer["code"], answer["reason"]
    if code == "ok":
        return TurnVerdict(True)
    if code in ("failed", "died", "no_start") and says_too_old(reason):
        return TurnVerdict(False, NEEDS_NEWER, f"is too old: {reason}")
    if code == "failed":
        return TurnVerdict(None, answer["failure"] or "other", reason)
    if code == "no_end" and answer["earlier"] not in (None, "ok"):
        return TurnVerdict(None, code, f"{reason}, nor did the last good version: the service is slow")
    return TurnVerdict(False, code, reason)
