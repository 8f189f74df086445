"""Verbs about what panes have printed, which is kept longer than tmux lives."""

from __future__ import annotations

from pathlib import Path
from typing import List

from .. import printed
from ..files import Json
from .requests import Request


def read_printed(params: Json, _request: Request) -> Json:
    """What was kept in these folders, up to `limit` bytes, the first folders' before all: the parts as text.

    With a limit of 0 only what there is, without its text.
    """
    room = limit = int(params["limit"])
    parts: List[Json] = []
    for folder in params["folders"]:
        for kept in reversed(printed.records(Path(folder))):
            if limit and room <= 0:
                break
            data = printed.newest_part(kept, room) if limit else b""
            room -= len(data)
            text = data.decode("utf-8", "surrogateescape")
            parts.append({"folder": folder, "name": kept.path.name, "mtime": kept.mtime, "data": text})
    return {"parts": parts}


def fold_printed(params: Json, _request: Request) -> Json:
    """Make ready what the next shell in this folder shows above its prompt; how many bytes that will be."""
    return {"shown": printed.fold(Path(params["folder"]))}
