"""The host aliases of the user's ssh configuration, suggested in the workspace form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from workspaces.hosts.ssh_target import from_home, home

MAX_INCLUDES = 16
PATTERN = set("*?!")
PLAIN_BACKSLASH = re.compile(r"""\\(?![\\'" ])""")
"""For ssh, a backslash quotes only these characters, unlike for shells. Paths of Windows have many."""
EQUALS = re.compile(r"^\s*(\w+)\s*=\s*")


def aliases(config: str = "") -> list[str]:
    """Return the aliases in the order of the file, without patterns; empty if there is no configuration.

    `config` defaults to SSH_CONFIG, else the user's own file. `Include` is followed as ssh does.
    """
    path = Path(config or settings.SSH_CONFIG or home() / ".ssh" / "config")
    return list(dict.fromkeys(_named_in(path, MAX_INCLUDES)))


def _named_in(path: Path, depth: int) -> Iterator[str]:
    for keyword, args in _lines(path):
        if keyword == "host":
            yield from (name for name in args if not PATTERN.intersection(name) and not name.startswith("-"))
        elif keyword == "include" and depth:
            for included in _included(args):
                yield from _named_in(included, depth - 1)


def _included(names: list[str]) -> Iterator[Path]:
    """Yield the included files; relative names are relative to ~/.ssh."""
    for name in names:
        path = from_home(name)
        pattern = path if path.is_absolute() else home() / ".ssh" / path
        root = Path(pattern.anchor)
        yield from sorted(root.glob(str(pattern.relative_to(root))))


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield keyword and arguments of each line. Skip what can't be read: ssh itself will report it."""
    try:
        lines = path.read_text("utf-8-sig", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            line = PLAIN_BACKSLASH.sub(r"\\\\", EQUALS.sub(r"\1 ", line))
            keyword, *args = shlex.split(line, comments=True) or [""]
        except ValueError:
            continue
        if keyword:
            yield keyword.lower(), args
