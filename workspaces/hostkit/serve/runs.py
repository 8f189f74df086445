"""Verbs for runs: prepare, query, control and cancel a run."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Optional, Union

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
    return send_command(RunFolder(params["dir"]), params["command"])


def send_command(folder: RunFolder, command: Union[RunCommand, Json]) -> Json:
    """Send one command to the runner, and return its answer."""
    try:
        return control_client.send_command(folder.control, command)
    except socket.timeout:
        raise RequestFailure("timeout", "the runner did not answer") from None
    except control_client.NoRunner as error:
        raise RequestFailure("not_found", str(error)) from None


def cancel(params: CancelParams, request: Request) -> CancelledRun:
    """End a run: gracefully if possible, else through its guard. Idempotent; also works before the start."""
    folder = RunFolder(params["dir"])
    outcome = folder.read_outcome()
    if outcome:
        return {"outcome": outcome}
    reason = str(params.get("reason") or "Cancelled")
    folder.mark_cancelled(reason)
    if folder.started:
        outcome = _stop(folder, reason, request) or _kill(folder) or _finish_dead(folder, reason)
    return {"outcome": outcome or folder.read_outcome()}


def _stop(folder: RunFolder, reason: str, request: Request) -> Optional[Json]:
    deadline = time.monotonic() + STOP_SECONDS
    requested = False
    while time.monotonic() < deadline and not request.cancelled:
        if not requested:
            requested = _request_stop(folder, reason)
        if _is_over(folder):
            break
        time.sleep(POLL_SECONDS)
    return folder.read_outcome()


def _request_stop(folder: RunFolder, reason: str) -> bool:
    try:
        return bool(send_command(folder, {"command": "stop", "reason": reason}).get("ok"))
    except (RequestFailure, ValueError):
        return False  # not listening yet, or ended: the outcome will show


def _kill(folder: RunFolder) -> Optional[Json]:
    """Send SIGTERM to the guard, which then kills its runner and all descendants, and writes the outcome."""
    guard = folder.guard_pid()
    if guard:
        processes.send([guard], signal.SIGTERM)
        deadline = time.monotonic() + KILL_SECONDS
        while time.monotonic() < deadline and not _is_over(folder):
            time.sleep(POLL_SECONDS)
    return folder.read_outcome()


def _is_over(folder: RunFolder) -> bool:
    return folder.outcome.exists() or folder.guard_pid() is None


def _finish_dead(folder: RunFolder, reason: str) -> Optional[Json]:
    """If the guard died without an outcome, kill the remaining processes, and write the outcome here."""
    if folder.guard_pid() is not None:
        return None
    swept = processes.sweep_marked(os.fspath(folder.path))
    outcome = outcome_of(folder.read_result()) or Outcome("cancelled", "cancelled", reason)
    return dict(finish(folder, outcome, ended_by="serve", swept=swept))
