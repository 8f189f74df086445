"""One readable line about what a tool does, and diffs."""

from __future__ import annotations

import json
import os
import shlex
from typing import List

from ..wire import Json

MAX_TITLE = 300
MAX_DIFF = 64 * 1024
PATHS = ("file_path", "notebook_path", "path")
TELLING = (*PATHS, "pattern", "query", "url", "description", "skill", "prompt", "command")


def one_line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_TITLE else flat[: MAX_TITLE - 1] + "…"


def relative(path: str, worktree: str) -> str:
    """A path as seen from the worktree, where it lies inside."""
    if not worktree or not path:
        return path
    for root in (worktree, os.path.realpath(worktree)):
        if path.startswith(root.rstrip("/") + "/"):
            return path[len(root.rstrip("/")) + 1 :]
    return path


def tool_title(name: str, tool_input: Json, worktree: str) -> str:
    """The command, the path, the pattern: what tells a person most."""
    if name == "Bash":
        return one_line(str(tool_input.get("command") or ""))
    if name == "AskUserQuestion":
        return one_line("; ".join(str(each.get("question")) for each in tool_input.get("questions") or []))
    if name == "ExitPlanMode":
        return "Plan"
    for key in TELLING:
        value = tool_input.get(key)
        if isinstance(value, str) and value:
            return one_line(relative(value, worktree) if key in PATHS else value)
    return one_line(json.dumps(tool_input, ensure_ascii=False)) if tool_input else name


def plain_command(command: str) -> str:
    """`/bin/bash -lc 'make'` as `make`."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    if len(words) == 3 and words[0].endswith("sh") and words[1] in ("-lc", "-c"):
        return words[2]
    return command


def shortened(diff: str) -> str:
    return diff if len(diff) <= MAX_DIFF else diff[:MAX_DIFF] + "\n… the diff goes on"


def whole_file_diff(content: str, sign: str) -> str:
    """The diff of a file that was added (`+`) or deleted (`-`) with this content."""
    lines = content.splitlines()
    head = f"@@ -0,0 +1,{len(lines)} @@" if sign == "+" else f"@@ -1,{len(lines)} +0,0 @@"
    return "\n".join([head, *(sign + line for line in lines)])


def unified_diff(hunks: List[Json]) -> str:
    """Hunks {oldStart, oldLines, newStart, newLines, lines} as text."""
    parts: List[str] = []
    for hunk in hunks:
        old = f"{hunk.get('oldStart')},{hunk.get('oldLines')}"
        new = f"{hunk.get('newStart')},{hunk.get('newLines')}"
        parts.append(f"@@ -{old} +{new} @@")
        parts.extend(hunk.get("lines") or [])
    return "\n".join(parts)
