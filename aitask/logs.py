"""How a log line looks: one line per record, whatever a message holds."""

from __future__ import annotations

import logging


class OneLine(logging.Formatter):
    """Keeps a record, traceback included, on one line: nobody's text can pass for a record of ours."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).splitlines()
        return " ⏎ ".join(line.rstrip() for line in lines if line.strip())
