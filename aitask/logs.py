"""Formatter of log records."""

from __future__ import annotations

import logging


class OneLine(logging.Formatter):
    """Writes a record with its traceback on one line, so that no text in it can look like another record."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).splitlines()
        return " ⏎ ".join(line.rstrip() for line in lines if line.strip())
