"""The hosts that a person's ssh configuration names, to be offered in a form."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from workspaces.hosts.ssh_target import from_home, home

MAX_INCLUDES = 16
PATTERN = set("*?!")
EQUALS = re.compile(r"^\s*(\w+)\s*=\s*")


def aliases(config: str = "") -> list[str]:
    """The aliases in the order of the file, without patterns; none when there is no configuration.

    `config` defaults to SSH_CONFIG, else the user's own file. Include is followed as ssh does it.
    """
    path = Path(config or settings.SSH_CONFIG or home() / ".ssh" / "config")
    return list(dict.fromkeys(_named_in(path, MAX_INCLUDES)))


def _named_in(path: Path, depth: int) -> Iterator[str]:
    for keyword, words in _lines(path):
        if keyword == "host":
            yield from (word for word in words if not PATTERN.intersection(word) and not word.startswith("-"))
        elif keyword == "include" and depth:
            for included in _included(words):
                yield from _named_in(included, depth - 1)


def _included(words: list[str]) -> Iterator[Path]:
    """Relative names lie in ~/.ssh, wherever the including file is."""
    for word in words:
        path = from_home(word)
        pattern = path if path.is_absolute() else home() / ".ssh" / path
        root = Path(pattern.anchor)
        yield from sorted(root.glob(str(pattern.relative_to(root))))


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Keyword and arguments of each line; what can't be read is left out: ssh itself will complain of it."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            words = shlex.split(EQUALS.sub(r"\1 ", line), comments=True)
        except ValueError:
            continue
        if words:
            yield words[0].lower(), words[1:]
