"""What the boxes for prompts and messages complete: commands and skills after `/`, files after `@`."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from aitask.lib.text import storable
from tasks.models import Task
from tasks.rendering.parts import readable
from workspaces import clis, listings
from workspaces.hostkit.wire import OfferedCommand
from workspaces.models import Workspace

BEST = 20
MAX_QUERY = 200
PLAIN = re.compile(r"[\w./~-]*\w\Z", re.ASCII)
"Paths that need no quotes in a message."
NO_SIGN = "#"
"Claude Code takes what follows it for a number of a line, so that no content goes along."


class Box(NamedTuple):
    """A box that someone writes in: what its text is for."""

    workspace: Workspace
    backend: str
    path: str
    "The worktree; the repository if there is none yet."
    commit: str
    "The branch that the worktree will start from; empty if there is a worktree."
    starts_session: bool


def box_of_task(task: Task, backend: str) -> Box:
    """Return the box for messages to a task's agent, or for its prompt."""
    known = backend if backend in clis.names() else task.backend
    has_runs = task.runs.exclude(cli_session="").exists()
    if task.branch and task.worktree_path:
        return Box(task.workspace, known, task.worktree_path, "", starts_session=not has_runs)
    return box_of_workspace(task.workspace, known)._replace(starts_session=not has_runs)


def box_of_workspace(workspace: Workspace, backend: str) -> Box:
    """Return the box for the prompt of a new task."""
    known = backend if backend in clis.names() else workspace.default_backend
    branch = f"refs/heads/{workspace.base_branch}"
    return Box(workspace, known, workspace.repo_path, branch, starts_session=True)


def complete(box: Box, sign: str, query: str) -> dict[str, Any]:
    """Return the best items for what was written after `sign`, without waiting for the host.

    `pending` means that the host has not answered yet; `note` says what is missing.
    """
    return _files(box, query[:MAX_QUERY]) if sign == "@" else _commands(box, query[:MAX_QUERY])


def prepare(box: Box) -> None:
    """Let the lists be renewed, for somebody who is about to write."""
    _commands(box, "")
    _files(box, "")


def _commands(box: Box, query: str) -> dict[str, Any]:
    listing = listings.commands_of(box.workspace, box.backend, path=box.path, commit=box.commit)
    fitting = [item for item in listing.commands if not (box.starts_session and item["in_conversation"])]
    words = query.lower()
    ranks = [(_rank_of(item["name"].lower(), words), item) for item in fitting]
    ranked = sorted((each for each in ranks if each[0] is not None), key=lambda each: each[0] or 0)
    label = clis.label_of(box.backend)
    note = "" if listing.commands or listing.pending else f"{label} has no commands or skills here."
    return _answer(listing, [_of_command(item) for _, item in ranked[:BEST]], note)


def _rank_of(name: str, words: str) -> int | None:
    """Return how well a name fits, the best with 0; None if it does not."""
    if name.startswith(words):
        return 0
    if words in name:
        return 1
    letters = iter(name)
    return 2 if all(letter in letters for letter in words) else None


def _of_command(item: OfferedCommand) -> dict[str, str]:
    detail, hint = readable(item["description"]), readable(item["hint"])
    return {"text": readable(item["insert"]), "insert": item["insert"], "detail": detail, "hint": hint}


def _files(box: Box, query: str) -> dict[str, Any]:
    listing = listings.files_of(box.workspace, path=box.path, commit=box.commit)
    cli = clis.find(box.backend)
    sign = cli.file_sign if cli else ""
    names = listing.files.best(query.strip('"'), BEST)
    items = [
        {"text": readable(name), "insert": _mention(name, sign), "detail": "", "hint": ""} for name in names
    ]
    note = f"{listing.left_out:,} names can't be written in a message." if listing.left_out else ""
    return _answer(listing, items, note)


def _mention(name: str, sign: str) -> str:
    """Return how a message names a file."""
    sign = "" if NO_SIGN in name else sign
    return f"{sign}{name}" if PLAIN.match(name) else f'{sign}"{name}"'


def _answer(listing: listings.Listing, items: list[dict[str, str]], note: str) -> dict[str, Any]:
    answer = {"items": items, "pending": listing.pending, "note": readable(listing.error) or note}
    clean: dict[str, Any] = storable(answer)
    return clean
