"""The settings with which Claude Code is started. They hold for this run, and are above those of files."""

from __future__ import annotations

import json

from ...wire import Json, RunSpec


def settings_of(spec: RunSpec) -> Json:
    """Return the content of `--settings`. Versions that don't know a setting ignore it."""
    own: Json = {
        # Else models with auto mode let its check decide on commands in plan mode, and nobody is asked.
        "useAutoModeDuringPlan": False,
        # Else other sessions of the same account could start paid turns in a run, unasked and unseen.
        "crossSessionInbound": "refuse",
    }
    folder = spec.get("attachments_folder")
    if folder:
        # Else each look at a file that the user has attached would be asked about. Only reading is allowed.
        own["permissions"] = {"allow": [f"Read(/{folder}/**)"]}
    return own


def settings_argument(spec: RunSpec) -> str:
    return "--settings=" + json.dumps(settings_of(spec))
