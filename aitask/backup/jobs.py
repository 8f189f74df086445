"""Jobs of the workers that make backups."""

from __future__ import annotations

import logging

from aitask.backup import services
from aitask.lib.errors import Refused

log = logging.getLogger(__name__)


def daily() -> None:
    """Make the backup of the day if it is due. Runs every hour, by the schedule."""
    try:
        services.make_due()
    except Refused as error:
        log.error("the daily backup failed: %s", error)


def now() -> None:
    """Make a backup that a user has asked for."""
    try:
        services.make_in_folder()
    except Refused as error:
        log.error("a backup failed: %s", error)
