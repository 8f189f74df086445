"""The settings that a worktree brings for agent CLIs, as far as CLIs run or obey them without asking."""

from __future__ import annotations

import hashlib
import os
import re
from itertools import islice
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

from ..files import InvalidJson, dumps, loads
from ..wire import AgentSettings, AgentSettingsFile, PathParams
from .files import content_inside
from .requests import Request

MAX_FILES = 500
MAX_BYTES = 256 * 1024
"""Bytes of a file that are looked at and shown. A longer one counts, whatever it has."""
HARMLESS = frozenset(
    [
        "$schema",
        "model",
        "effortLevel",
        "language",
        "outputStyle",
        "cleanupPeriodDays",
        "includeCoAuthoredBy",
        "attribution",
        "spinnerTipsEnabled",
        "alwaysThinkingEnabled",
        "companyAnnouncements",
        "respectGitignore",
        "prefersReducedMotion",
        "showTurnDuration",
    ]
)
"""Keys of Claude Code's settings that run nothing and allow nothing."""
FRONT_MATTER = re.compile(
    r"^\s*(hooks|mcpServers|mcp_servers|allowed-tools|permissionMode)\s*:|!`", re.MULTILINE
)
"""In agents, skills and commands: keys that run programs or allow tools, and commands that run at once."""


def _is_set(text: str) -> bool:
    return any(line.strip() and not line.strip().startswith("#") for line in text.splitlines())


def _runs_of_claude(text: str) -> bool:
    value = loads(text)
    if not isinstance(value, dict):
        return True
    rules = value.pop("permissions", None) or {}
    allows = not isinstance(rules, dict) or any(
        value for key, value in rules.items() if key not in ("deny", "ask")
    )
    return allows or any(setting for key, setting in value.items() if key not in HARMLESS)


def _has_servers(text: str) -> bool:
    value = loads(text)
    return not isinstance(value, dict) or any(value.values())


FILES: Dict[str, Callable[[str], bool]] = {
    ".mcp.json": _has_servers,
    ".claude/settings.json": _runs_of_claude,
    ".claude/settings.local.json": _runs_of_claude,
    ".codex/config.toml": _is_set,
    ".codex/hooks.json": _is_set,
}
FOLDERS: Dict[str, Callable[[str], bool]] = {
    ".claude/hooks": _is_set,
    ".claude/agents": lambda text: bool(FRONT_MATTER.search(text)),
    ".claude/commands": lambda text: bool(FRONT_MATTER.search(text)),
    ".claude/skills": lambda text: bool(FRONT_MATTER.search(text)),
    ".codex/hooks": _is_set,
    ".codex/rules": _is_set,
}


def agent_settings(params: PathParams, _request: Request) -> AgentSettings:
    """Return the files that count, and a digest of them; no digest if there are none."""
    found: List[AgentSettingsFile] = []
    digests: List[Tuple[str, str]] = []
    for name, counts in islice(_candidates(Path(params["path"])), MAX_FILES):
        data, size = content_inside(params["path"], name, MAX_BYTES)
        if data is None:
            continue
        text = data.decode("utf-8", "surrogateescape")
        if size > len(data) or _counts(text, counts):
            found.append({"name": name, "data": text, "size": size})
            digests.append((name, hashlib.sha256(b"%d " % size + data).hexdigest()))
    return {"files": found, "digest": hashlib.sha256(dumps(digests)).hexdigest() if found else ""}


def _counts(text: str, counts: Callable[[str], bool]) -> bool:
    try:
        return counts(text)
    except InvalidJson:  # a link, or what only the CLI can read
        return True


def _candidates(top: Path) -> Iterator[Tuple[str, Callable[[str], bool]]]:
    """Return names of files in a fixed order. A link in place of a folder counts as a file."""
    for folder in (".claude", ".codex"):
        if (top / folder).is_symlink():
            yield folder, lambda _: True
    yield from FILES.items()
    for name, counts in FOLDERS.items():
        if (top / name).is_symlink():
            yield name, lambda _: True
            continue
        for parent, folders, names in os.walk(str(top / name)):
            folders.sort()
            links = [folder for folder in folders if (Path(parent) / folder).is_symlink()]
            for each in sorted([*names, *links]):
                path = str((Path(parent) / each).relative_to(top))
                yield path, (lambda _: True) if each in links else counts
