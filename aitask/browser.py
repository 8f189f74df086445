"""Opens the setup page of a new site in the browser of the user who sits at this machine."""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser
from html import escape

from aitask import first_run
from aitask.lib.printer import WritableText
from aitask.lib.private_files import write_private

PAGE = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={link}">
<title>AI Task Manager</title>
<p><a href="{link}">Set up AI Task Manager</a></p>
"""


def is_at_hand(output: WritableText) -> bool:
    """Return whether a user reads the output, sits at this machine, and can see windows."""
    if not output.isatty() or os.environ.get("SSH_CONNECTION"):
        return False
    has_windows = sys.platform in ("win32", "darwin")
    return has_windows or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def open_private(link: str) -> None:
    """Open a link that others must not see. All users of a machine can read the arguments of programs.

    So the browser gets a private file that leads there. Nothing happens if no browser is found.
    """
    file = first_run.page()
    with contextlib.suppress(OSError, webbrowser.Error):
        if type(webbrowser.get()) is not webbrowser.GenericBrowser:  # that would be one in this terminal
            write_private(file, PAGE.format(link=escape(link)))
            webbrowser.open(file.as_uri())
