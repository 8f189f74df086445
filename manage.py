#!/usr/bin/env python
"""Django's command line for AI Task Manager; `python manage.py up` starts everything."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitask.settings")
    if sys.stdout is None:  # Windows' pythonw, which has no console
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal's encoding may lack characters of names
            utf8 = "utf-8" if os.name == "nt" and not stream.isatty() else None
            stream.reconfigure(encoding=utf8, errors="backslashreplace")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            f"{error}. Install the dependencies first: python -m pip install -r requirements.txt"
        ) from error
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        raise SystemExit(f"Configuration: {error}") from error


if __name__ == "__main__":
    main()
