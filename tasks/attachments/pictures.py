"""Lets a process of its own read pictures, and takes over our own copies of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aitask.lib.errors import Refused
from tasks.attachments import store

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "tasks.attachments.decode")
VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT", "VIRTUAL_ENV")
SECONDS = 40.0
AT_ONCE = threading.BoundedSemaphore(2)
"""Decoding takes memory, so few pictures are read at once. The others wait."""
UNREADABLE = "The picture is damaged, or needs too much time or memory."


class UnfitPicture(Refused):
    """The content is refused, with a sentence."""

    status = 422


@dataclass(frozen=True)
class DecodedPicture:
    """What was found in a picture, and our own copies of it."""

    content_type: str
    width: int
    height: int
    fits_agents: bool
    "Whether CLIs take it as it is: small, plain, upright."
    view: store.Incoming
    view_type: str
    thumbnail: store.Incoming
    thumbnail_type: str


@contextlib.contextmanager
def decoded(path: Path) -> Iterator[DecodedPicture]:
    """Read a picture, and make copies of it that exist meanwhile. Raises UnfitPicture."""
    with tempfile.TemporaryDirectory(prefix="aitask-picture-") as folder:
        found = _run(path, folder)
        kept: list[store.Incoming] = []
        try:
            for name in ("view", "thumbnail"):
                with Path(folder, name).open("rb") as copy:
                    kept.append(store.stage(iter(partial(copy.read, store.CHUNK), b"")))
            yield DecodedPicture(**found, view=kept[0], thumbnail=kept[1])
        finally:
            for content in kept:
                content.path.unlink(missing_ok=True)


def check_vector(path: Path) -> None:
    """Raise UnfitPicture for an SVG that is damaged, or has scripts or references to the outside."""
    _run(path, "")


def _run(path: Path, folder: str) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    try:
        with AT_ONCE:
            done = subprocess.run(
                [*PROGRAM, str(path), folder],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                check=False,
            )
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise UnfitPicture(UNREADABLE) from error
    if "error" in found:
        raise UnfitPicture(str(found["error"]))
    return dict(found)
