"""Verbs about the past: what panes printed, and the tokens in the CLIs' transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import List

from .. import agents, environment, scrollback
from ..files import Json
from .requests import Request


def read_scrollback(params: Json, _request: Request) -> Json:
    """What was recorded in these folders, up to `limit` bytes, those of the first folder before all others.

    With a limit of 0 only which records there are, without their text.
    """
    room = limit = int(params["limit"])
    parts: List[Json] = []
    for folder in params["folders"]:
        for kept in reversed(scrollback.records(Path(folder))):
            if limit and room <= 0:
                break
            data = scrollback.newest_part(kept, room) if limit else b""
            room -= len(data)
            text = data.decode("utf-8", "surrogateescape")
            parts.append({"folder": folder, "name": kept.path.name, "mtime": kept.mtime, "data": text})
    return {"parts": parts}


def fold_scrollback(params: Json, _request: Request) -> Json:
    """Prepare what the next shell in this folder shows above its prompt; how many bytes that will be."""
    return {"shown": scrollback.fold(Path(params["folder"]))}


def transcripts(params: Json, _request: Request) -> Json:
    """{backend: {session: {cwd, tokens, parent?}}} of files written since `since` (Unix time)."""
    env = environment.variables(params.get("environment") or {})
    since = float(params.get("since") or 0)
    return {name: cli.sessions(env, since) for name, cli in agents.everyone().items()}
