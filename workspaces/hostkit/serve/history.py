"""Verbs about the past: what panes printed, and the tokens in the CLIs' transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

from .. import agents, environment, scrollback
from ..wire import (
    FoldedScrollback,
    FolderParams,
    Scrollback,
    ScrollbackParams,
    ScrollbackPart,
    SessionTokens,
    TranscriptsParams,
)
from .requests import Request


def read_scrollback(params: ScrollbackParams, _request: Request) -> Scrollback:
    """What was recorded in these folders, up to `limit` bytes, those of the first folder before all others.

    With a limit of 0 only which records there are, without their text.
    """
    room = limit = int(params["limit"])
    parts: List[ScrollbackPart] = []
    for folder in params["folders"]:
        for kept in reversed(scrollback.records(Path(folder))):
            if limit and room <= 0:
                break
            data = scrollback.newest_part(kept, room) if limit else b""
            room -= len(data)
            text = data.decode("utf-8", "surrogateescape")
            parts.append({"folder": folder, "name": kept.path.name, "mtime": kept.mtime, "data": text})
    return {"parts": parts}


def fold_scrollback(params: FolderParams, _request: Request) -> FoldedScrollback:
    """Prepare what the next shell in this folder shows above its prompt; how many bytes that will be."""
    return {"shown": scrollback.fold(Path(params["folder"]))}


def transcripts(params: TranscriptsParams, _request: Request) -> Dict[str, Dict[str, SessionTokens]]:
    """By CLI and session, of transcripts that were written since `since`."""
    env = environment.variables(params.get("environment") or {})
    since = float(params.get("since") or 0)
    return {name: cli.sessions(env, since) for name, cli in agents.everyone().items()}
