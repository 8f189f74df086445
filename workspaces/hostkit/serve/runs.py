"""Verbs for runs: prepare, query, control and cancel a run."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import Dict, Optional, Union

from .. import control_client, environment, processes
from ..files import dumps, make_private_folder, write_atomic
from ..folder import RunFolder
from ..journal import last_sequence
from ..outcome import Outcome, outcome_of
from ..run.finish import finish
from ..wire import (
    CancelledRun,
    CancelParams,
    CheckSpec,
    ControlParams,
    DirParams,
    Json,
    Prepared,
    PrepareParams,
    RunCommand,
    RunSpec,
    RunState,
)
from .requests import Request, RequestFailure

STOP_SECONDS = 8.0
"""How long a runner may take to stop gracefully."""
KILL_SECONDS = 8.0
"""How long the guard may take to kill all processes and write the outcome."""
POLL_SECONDS = 0.03
OLD_RUNNER = (
    "This run was started by an earlier version of the app, and takes no files. Send them when it has ended."
)


def prepare_run(params: PrepareParams, _request: Request) -> Prepared:
    """Write the files of a run's folder. Can be repeated until its guard has started."""
    folder = RunFolder(params["dir"])
    spec = params["spec"].copy()
    if folder.started:
        _check_same_run(folder, spec)
        return {"started": True}
    spec["path"] = environment.search_path(spec.get("environment") or {})
    make_private_folder(folder.path)
    write_atomic(folder.prompt, str(params["prompt"]).encode("utf-8", "surrogateescape"))
    write_atomic(folder.spec, dumps(spec))
    return {}


def _check_same_run(folder: RunFolder, spec: Union[RunSpec, CheckSpec]) -> None:
    """Raise RequestFailure if another run has this folder, as after an older database was restored."""
    known = folder.read_spec()
    if known is not None and (known.get("mark") or "") != (spec.get("mark") or ""):
        raise RequestFailure("exists", f"another run has been started in {folder.path}")


def run_state(params: DirParams, _request: Request) -> RunState:
    folder = RunFolder(params["dir"])
    outcome = folder.read_outcome()
    return {
        "exists": folder.path.is_dir(),
        "started": folder.started,
        "alive": folder.guard_pid() is not None,
        "finished": outcome is not None,
        "outcome": outcome,
        "last_seq": last_sequence(folder.events),
    }


def control(params: ControlParams, _request: Request) -> Json:
    folder, command = RunFolder(params["dir"]), params["command"]
    if command.get("attachments") and "attachments_folder" not in (folder.read_spec() or {}):
        return {"ok": False, "error": OLD_RUNNER}  # it would drop the files
    return send_command(folder, command)


def send_command(folder: RunFolder, command: Union[RunCommand, Json]) -> Json:
    """Send one command to the runner, and return its answer."""
    try:
        return control_client.send_command(folder.control, command)
    except socket.timeout:
        raise RequestFailure("timeout", "the runner did not answer") from None
    except control_client.NoListener as error:
        raise RequestFailure("not_found", str(error)) from None


def cancel(params: CancelParams, request: Request) -> CancelledRun:
    """End a run: gracefully if possible, else through its guard. Idempotent; also works before the start.

    May be called again and again without patience, for a caller that has other work meanwhile.
    """
    folder = RunFolder(params["dir"])
    reason = str(params.get("reason") or "Cancelled")
    patience = float(params.get("patience", STOP_SECONDS + KILL_SECONDS))
    if not folder.outcome.exists() and not folder.cancelled:
        folder.mark_cancelled(reason)
    if not folder.started:
        return {"outcome": folder.read_outcome(), "ending": False}
    ending = _endings.setdefault(os.fspath(folder.path), _Ending(folder, reason))
    deadline = time.monotonic() + patience
    while not ending.is_over() and time.monotonic() < deadline and not request.cancelled:
        time.sleep(POLL_SECONDS)
    outcome = folder.read_outcome()
    if outcome:
        _endings.pop(os.fspath(folder.path), None)
    return {"outcome": outcome, "ending": outcome is None}


class _Ending:
    """A run that is being cancelled: its runner is asked to stop; later its guard is told to kill it."""

    def __init__(self, folder: RunFolder, reason: str) -> None:
        self._folder = folder
        self._reason = reason
        self._began = time.monotonic()
        self._asking: Optional[threading.Thread] = None
        self._stopping = False
        self._killed = False
        self._lock = threading.Lock()

    def is_over(self) -> bool:
        """Do what is due, and return whether there is an outcome."""
        with self._lock:
            if self._folder.outcome.exists():
                return True
            if self._folder.guard_pid() is None:
                _finish_dead(self._folder, self._reason)
            elif self._age() > STOP_SECONDS:
                self._kill()
            elif not self._stopping and not (self._asking and self._asking.is_alive()):
                # In a thread, because a runner that is frozen does not answer.
                self._asking = threading.Thread(target=self._ask, daemon=True)
                self._asking.start()
            return self._folder.outcome.exists()

    def _age(self) -> float:
        """Return for how many seconds the run has been cancelled, even if another process was asked first."""
        return max(time.monotonic() - self._began, time.time() - self._folder.cancelled_at())

    def _ask(self) -> None:
        with suppress(RequestFailure, ValueError):  # not listening yet, or ended: the outcome will show
            answer = send_command(self._folder, {"command": "stop", "reason": self._reason})
            self._stopping = bool(answer.get("ok"))

    def _kill(self) -> None:
        """Send SIGTERM to the guard: it kills its runner and all descendants, and writes the outcome."""
        guard = self._folder.guard_pid()
        if guard and not self._killed:
            processes.send([guard], signal.SIGTERM)
            self._killed = True


_endings: Dict[str, _Ending] = {}
"""By the run's folder, until it has an outcome."""


def _finish_dead(folder: RunFolder, reason: str) -> None:
    """After the guard died without an outcome, kill the remaining processes, and write the outcome here."""
    if folder.outcome.exists():  # the guard has just ended in order
        return
    swept = processes.sweep_marked(os.fspath(folder.path))
    outcome = outcome_of(folder.read_result()) or Outcome("cancelled", "cancelled", reason)
    finish(folder, outcome, ended_by="serve", swept=swept)
