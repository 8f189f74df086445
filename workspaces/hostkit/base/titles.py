"""Titles of tool calls, and diffs."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import List, Tuple

from ..wire import Json

MAX_TITLE = 300
MAX_DIFF = 64 * 1024
PATHS = ("file_path", "notebook_path", "path")
SHELLS = re.compile(r"(/usr(/local)?)?(/bin/)(ba|z|da|k)?sh")
TITLE_KEYS = (*PATHS, "pattern", "query", "url", "subject", "description", "skill", "prompt", "command")


def one_line(text: str) -> str:
    """Return the text in one line, shortened. Other controls stay: whoever shows it makes them visible."""
    flat = re.sub(r"[ \t\n]+", " ", text).strip(" ")
    return flat if len(flat) <= MAX_TITLE else flat[: MAX_TITLE - 1] + "…"


def relative(path: str, worktree: str) -> str:
    """Return the path relative to the worktree if it is inside, else unchanged."""
    if not worktree or not path:
        return path
    for root in (worktree, os.path.realpath(worktree)):
        if path.startswith(root.rstrip("/") + "/"):
            return path[len(root.rstrip("/")) + 1 :]
    return path


def tool_title(name: str, tool_input: Json, worktree: str) -> str:
    """Return a one-line title for a tool call, such as its command, path or pattern."""
    if name == "Bash":
        return one_line(str(tool_input.get("command") or ""))
    if name == "AskUserQuestion":
        return one_line("; ".join(str(each.get("question")) for each in tool_input.get("questions") or []))
    if name == "ExitPlanMode":
        return "Plan"
    if name == "TodoWrite":
        return _step_at_work(tool_input.get("todos"))
    for key in TITLE_KEYS:
        value = tool_input.get(key)
        if isinstance(value, str) and value:
            return one_line(relative(value, worktree) if key in PATHS else value)
    return one_line(json.dumps(tool_input, ensure_ascii=False)) if tool_input else name


def _step_at_work(todos: object) -> str:
    """Return what the agent does now, by its own list of steps."""
    rows = [row for row in todos if isinstance(row, dict)] if isinstance(todos, list) else []
    now = (row.get("activeForm") or row.get("content") for row in rows if row.get("status") == "in_progress")
    return one_line(str(next(now, f"{len(rows)} step{'' if len(rows) == 1 else 's'}")))


def plain_command(command: str) -> str:
    """Remove a shell wrapper: return `make` for `/bin/bash -lc 'make'`."""
    return _wrapped(command)[1]


def shell_of(command: str) -> str:
    """Return the wrapper that `plain_command` removes, as `/bin/bash -lc`; empty if there is none."""
    return _wrapped(command)[0]


def _wrapped(command: str) -> Tuple[str, str]:
    """Return wrapper and command. Only the shells of a system are wrappers: `./x.sh -c ls` runs a script."""
    try:
        argv = shlex.split(command)
    except ValueError:
        return "", command
    if len(argv) == 3 and SHELLS.fullmatch(argv[0]) and argv[1] in ("-lc", "-c"):
        return f"{argv[0]} {argv[1]}", argv[2]
    return "", command


def shortened(diff: str) -> str:
    return diff if len(diff) <= MAX_DIFF else diff[:MAX_DIFF] + "\n… the rest of the diff was cut"


def whole_file_diff(content: str, sign: str) -> str:
    """Return the diff of an added (`+`) or deleted (`-`) file with this content."""
    lines = content.splitlines()
    head = f"@@ -0,0 +1,{len(lines)} @@" if sign == "+" else f"@@ -1,{len(lines)} +0,0 @@"
    return "\n".join([head, *(sign + line for line in lines)])


def unified_diff(hunks: List[Json]) -> str:
    """Format hunks {oldStart, oldLines, newStart, newLines, lines} as a unified diff."""
    parts: List[str] = []
    for hunk in hunks:
        old = f"{hunk.get('oldStart')},{hunk.get('oldLines')}"
        new = f"{hunk.get('newStart')},{hunk.get('newLines')}"
        parts.append(f"@@ -{old} +{new} @@")
        parts.extend(hunk.get("lines") or [])
    return "\n".join(parts)
