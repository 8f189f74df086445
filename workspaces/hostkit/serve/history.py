"""Verbs for records: the output of panes, and the tokens in the CLIs' transcripts."""

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
    """Return the records of these folders in order, newest first within each, up to `limit` bytes in total.

    With a limit of 0, return all records without their text.
    """
    remaining = limit = int(params["limit"])
    parts: List[ScrollbackPart] = []
    for folder in params["folders"]:
        for record in reversed(scrollback.records(Path(folder))):
            if limit and remaining <= 0:
                break
            data = scrollback.newest_part(record, remaining) if limit else b""
            remaining -= len(data)
            text = data.decode("utf-8", "surrogateescape")
            parts.append({"folder": folder, "name": record.path.name, "mtime": record.mtime, "data": text})
    return {"parts": parts}


def fold_scrollback(params: FolderParams, _request: Request) -> FoldedScrollback:
    """Prepare the text that the next shell in this folder prints first, and return its size in bytes."""
    return {"shown": scrollback.fold(Path(params["folder"]))}


def transcripts(params: TranscriptsParams, _request: Request) -> Dict[str, Dict[str, SessionTokens]]:
    """Return tokens by CLI and session, from transcripts modified since `since`."""
    given = params.get("environment") or {}
    since, starts = float(params.get("since") or 0), params.get("starts") or {}
    return {
        name: cli.sessions(environment.variables(given, also=cli.variables), since, starts)
        for name, cli in agents.get_all().items()
    }
