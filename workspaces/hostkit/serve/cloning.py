"""Verbs that clone a repository. The clone runs in a process of its own and outlives the connection."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

from .. import environment
from ..files import dumps, make_private_folder, read_json, write_atomic
from ..folder import state_dir
from ..run.clone import LOCK, OUTCOME, PROGRESS, SPEC
from ..wire import CloneId, CloneParams, CloneSpec, CloneState, StartedClone
from .requests import Request, RequestFailure

ID = re.compile(r"[0-9a-f]{32}")
KEPT_SECONDS = 86400.0


def start_clone(params: CloneParams, _request: Request) -> StartedClone:
    """Start to clone into a folder that does not exist."""
    target = Path(params["target"])
    if os.path.lexists(str(target)):
        raise RequestFailure("exists", f"{target} exists already.")
    if not target.parent.is_dir():
        raise RequestFailure("not_found", f"There is no folder {target.parent}.")
    if not os.access(str(target.parent), os.W_OK | os.X_OK):
        raise RequestFailure("permission", f"You may not create a folder in {target.parent}.")
    _forget_old()
    number = uuid.uuid4().hex
    folder = _folder(number)
    make_private_folder(folder)
    spec: CloneSpec = {"url": params["url"], "target": str(target)}
    write_atomic(folder / SPEC, dumps(spec))
    _start(folder)
    return {"id": number}


def clone_state(params: CloneId, _request: Request) -> CloneState:
    folder = _folder(params["id"])
    running = _is_locked(folder / LOCK)
    spec = read_json(folder / SPEC)
    if spec is None:
        raise RequestFailure("not_found", "This clone is not known any more.")
    outcome = read_json(folder / OUTCOME)
    answer: CloneState = {
        "state": "running",
        "line": "",
        "errors": [],
        "target": str(spec.get("target") or ""),
    }
    if outcome is None and running:
        with suppress(OSError):
            answer["line"] = (folder / PROGRESS).read_text("utf-8", "replace")
    elif outcome is not None and outcome.get("ok") is True:
        answer["state"] = "done"
    else:
        answer["state"] = "failed"
        answer["errors"] = [str(line) for line in (outcome or {}).get("errors") or []]
    return answer


def _start(folder: Path) -> None:
    """Start the process, which holds the lock until it ends."""
    lock = os.open(str(folder / LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, sys.argv[0], "clone", str(folder), str(lock)],
            env=environment.own_variables({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )
    finally:
        os.close(lock)
    threading.Thread(target=process.wait, daemon=True).start()


def _is_locked(path: Path) -> bool:
    try:
        lock = os.open(str(path), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _clones() -> Path:
    return state_dir() / "clones"


def _folder(number: str) -> Path:
    if not ID.fullmatch(number):
        raise RequestFailure("bad_request", "not a clone's id")
    return _clones() / number


def _forget_old() -> None:
    """Remove what earlier clones have left, except for those that run."""
    for folder in _clones().glob("*"):
        with suppress(OSError):
            if _age(folder) > KEPT_SECONDS and not _is_locked(folder / LOCK):
                shutil.rmtree(str(folder))


def _age(folder: Path) -> float:
    return time.time() - folder.lstat().st_mtime
