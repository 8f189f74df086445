"""Verbs for the files that users give to agents.

Each task has one private folder, `attachments/<installation>-<task>-<mark>/` in the state folder. It is not a
run's: a conversation that is resumed names the same paths again, and terminals use them, too. It lies outside
of the worktree, so that no file is committed by accident.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import shutil
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Iterator

from .. import agents, environment
from ..base.blanks import blank_contents
from ..base.transcripts import records
from ..files import make_private_folder
from ..folder import RunFolder, state_dir
from ..wire import BlankParams, LeftFoldersParams, Nothing, UploadBegun, UploadEnded, UploadParams, UploadPart
from .requests import Request, RequestFailure

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}\Z")
LEFT = re.compile(r"((attachments|shells)/[A-Za-z0-9-]{1,100}|runs/[A-Za-z0-9-]{1,100}(/(tmp|pictures))?)\Z")
"""What may be removed, below the state folder. Earlier versions of the app named only parts of runs."""
RUN = re.compile(r"runs/[A-Za-z0-9-]{1,100}\Z")
SESSION = re.compile(r"[A-Za-z0-9-]{8,100}\Z")
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
AWKWARD = re.compile(r"[^\w.+=@-]+")
"""Characters that a shell or an agent could take for something else than a part of a name."""
MAX_NAME = 100
"""Bytes of a name."""
CHUNK = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)
SPARE = 1 << 20
"""Bytes that stay free: the runs of the host need some, too."""


def safe_name(name: str) -> str:
    """Return the name of a file on the host: a word for every shell, never hidden, never an option.

    The extension is kept, because programs look at it.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    stem, dot, extension = AWKWARD.sub("_", last).rpartition(".")
    if not stem:
        stem, dot, extension = extension, "", ""
    stem = stem.lstrip(".-_") or "file"
    tail = dot + _cut(extension, 20) if extension else ""
    return _cut(stem, MAX_NAME - len(tail.encode())) + tail


def _cut(text: str, size: int) -> str:
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def upload_begin(params: UploadParams, _request: Request) -> UploadBegun:
    """Say what is there of the file. Refuse it now if it would not fit onto the disk."""
    place = _FilePlace(params)
    if place.is_complete():
        return {"path": str(place.path), "complete": True, "size": params["size"]}
    try:
        make_private_folder(place.path.parent)
        size = place.partial.stat().st_size if place.partial.exists() else 0
        if shutil.disk_usage(str(place.path.parent)).free + size < params["size"] + SPARE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise place.failure(error) from error
    return {"path": str(place.path), "complete": False, "size": min(size, params["size"])}


def upload_part(params: UploadPart, _request: Request) -> Nothing:
    """Write a part at its place. Parts may come in any order, and twice."""
    place = _FilePlace(params)
    data, offset = base64.b64decode(params["data"], validate=True), int(params["offset"])
    if offset < 0 or offset + len(data) > params["size"]:
        raise RequestFailure("bad_request", "this part is outside of the file")
    try:
        handle = os.open(str(place.partial), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while data:
                written = os.pwrite(handle, data, offset)
                data, offset = data[written:], offset + written
        finally:
            os.close(handle)
    except OSError as error:
        raise place.failure(error) from error
    return {}


def upload_end(params: UploadParams, _request: Request) -> UploadEnded:
    """Check the file against its digest, and give it its name. What differs is removed."""
    place = _FilePlace(params)
    if place.is_complete():  # another upload of the same file was quicker
        with suppress(FileNotFoundError):
            place.partial.unlink()
    elif _digest_of(place.partial) != params["sha256"]:
        with suppress(FileNotFoundError):
            place.partial.unlink()
        raise RequestFailure("failed", f"{place.name} did not arrive as it was sent")
    else:
        with suppress(FileNotFoundError):  # likewise, since the line before
            place.keep()
    return {"path": str(place.path)}


def remove_folders(params: LeftFoldersParams, _request: Request) -> Nothing:
    """Remove folders of tasks and runs that are no more, with all that is in them.

    Raises RequestFailure before that if a run is still going on here, which the app takes for lost.
    """
    paths = [_own_folder(name) for name in params["names"]]
    for path in paths:
        run = RunFolder(path)
        if run.guard_pid() is not None and not run.outcome.exists():
            raise RequestFailure("failed", f"A run is still going on in {path}.")
    for path in paths:
        with suppress(FileNotFoundError):
            shutil.rmtree(str(path))
    return {}


def _own_folder(name: str) -> Path:
    """Return the path of a folder of ours. Raises RequestFailure for anything else, and for a link."""
    if not LEFT.match(name):
        raise RequestFailure("bad_request", f"{name} is no folder of a task")
    path = state_dir() / name
    for folder in (path, path.parent):
        if folder.is_symlink():
            raise RequestFailure("bad_request", f"{folder} is a link")
    return path


def blank_transcripts(params: BlankParams, _request: Request) -> Nothing:
    """Take the contents of files out of the CLIs' transcripts of runs that are no more.

    Only of a task that had files, and only in sessions that its runs have begun: other transcripts are not
    touched. What the agents have written about the files stays.
    """
    if not _own_folder(params["folder"]).exists():
        return {}
    for name in params["runs"]:
        if not RUN.match(name):
            raise RequestFailure("bad_request", f"{name} is no folder of a run")
        for path in _transcripts_of(RunFolder(state_dir() / name)):
            with suppress(FileNotFoundError):
                blank_contents(path)
    return {}


def _transcripts_of(run: RunFolder) -> Iterator[Path]:
    spec = run.read_spec()
    cli = agents.get_all().get(spec["backend"]) if spec else None
    if spec is None or cli is None:
        return
    env = environment.variables(spec.get("environment") or {}, spec.get("path"), also=cli.variables)
    began = run.spec.stat().st_mtime
    marks = ('"started"', '"session"')
    found = [each for each in records(run.events, *marks) if each.get("kind") in ("started", "session")]
    for session in {str(each.get("cli_session") or "") for each in found}:
        if SESSION.match(session):
            yield from cli.transcripts_of(env, session, began)


class _FilePlace:
    """Where a file is, and where it is while it is being sent."""

    def __init__(self, params: UploadParams) -> None:
        if not FOLDER_NAME.match(params["folder"]) or not DIGEST.match(params["sha256"]):
            raise RequestFailure("bad_request", "no such folder")
        self._digest, self._size = params["sha256"], int(params["size"])
        self.name = params["name"]
        folder = state_dir() / "attachments" / params["folder"] / str(int(params["id"]))
        self.path = folder / safe_name(params["name"])
        self.partial = folder / f".{self._digest}.part"

    def is_complete(self) -> bool:
        try:
            return self.path.lstat().st_size == self._size and _digest_of(self.path) == self._digest
        except OSError:
            return False

    def keep(self) -> None:
        handle = os.open(str(self.partial), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        self.partial.replace(self.path)

    def failure(self, error: OSError) -> Exception:
        """Return what is answered. A disk that is full keeps nothing of the file."""
        if error.errno not in FULL:
            return error
        with suppress(OSError):
            self.partial.unlink()
        size = f"{self._size / (1 << 20):.1f} MB"
        return RequestFailure("failed", f"There is no room on the host's disk for {self.name} ({size}).")


def _digest_of(path: Path) -> str:
    """Return the digest of a regular file; empty if there is none."""
    found = hashlib.sha256()
    try:
        for chunk in _chunks(path):
            found.update(chunk)
    except OSError:
        return ""
    return found.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    handle = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as source:
        yield from iter(lambda: source.read(CHUNK), b"")
