"""The settings that a run of Claude Code gets on its command line, over those of all files."""

from __future__ import annotations

import json
from typing import Dict, List

OF_RUNS: Dict[str, object] = {"crossSessionInbound": "refuse"}
"""Other sessions of the same account could start paid turns in a run, unasked and unseen. Versions that have
no such messages ignore the setting."""


def settings_arguments(**more: object) -> List[str]:
    """Return `--settings` with all settings of a run. The CLI takes only one."""
    return ["--settings=" + json.dumps({**OF_RUNS, **more})]
