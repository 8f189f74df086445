"""Pictures that are on a host: what an agent has read, made or changed. Pages get our own copies of them.

An agent can write any bytes, so they are read like an upload: bounded, by the process that decodes pictures.
Nothing of them is kept here; the browser keeps what it has seen.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from posixpath import join

from aitask.lib.errors import Refused
from tasks.attachments import pictures, store
from tasks.models import Run
from workspaces import hosts
from workspaces.hostkit import wire
from workspaces.hostkit.base.pictures import MAX_PICTURE

FOLDER = "pictures"
"""Of a run, on its host."""
AT_ONCE = threading.BoundedSemaphore(2)
"""Each picture needs several times its size while it comes from its host, so few come at once."""


class NoPicture(Refused):
    """There is no such picture, or no longer."""

    status = 404


@dataclass(frozen=True)
class PictureCopy:
    """Our own copy of a picture, and facts about the picture itself."""

    content: bytes
    content_type: str
    width: int
    height: int


def of_run(run: Run, sha256: str, *, small: bool) -> PictureCopy:
    """Return a picture that the run's agent has read or made. Raises Refused."""
    if not run.run_dir:
        raise NoPicture("This run has no pictures.")

    def read() -> bytes:
        host = hosts.get(run.task.workspace.address)
        params: wire.InsideParams = {
            "folder": join(run.run_dir, FOLDER),
            "name": sha256,
            "limit": MAX_PICTURE,
        }
        answer = host.call("read_binary", params)
        content = base64.b64decode(answer["data"])
        if not answer["exists"] or hashlib.sha256(content).hexdigest() != sha256:
            raise NoPicture("This picture is no longer on the host.")
        return content

    return copy_of(read, small=small)


def copy_of(read: Callable[[], bytes], *, small: bool = False) -> PictureCopy:
    """Return our own copy of what `read` returns. Raises UnfitPicture if it is no harmless picture."""
    with AT_ONCE:
        source = store.stage([read()])
        try:
            with pictures.decoded(source.path) as found:
                kept = found.thumbnail if small else found.view
                content_type = found.thumbnail_type if small else found.view_type
                return PictureCopy(kept.path.read_bytes(), content_type, found.width, found.height)
        finally:
            source.path.unlink(missing_ok=True)
