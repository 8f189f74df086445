"""`exec`: runs one command with limited output and time, then kills its process group."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Dict, Iterator, List, Optional

from .. import environment
from ..files import make_private_folder
from ..wire import ExecParams, Executed
from .requests import Request, RequestFailure

DEFAULT_SECONDS = 30.0
DEFAULT_OUTPUT = 4 * 1024 * 1024
CHUNK = 64 * 1024
GRACE_SECONDS = 1.0
"""How long to wait for output if a process outside of the group keeps the pipe open."""
_running: Dict[int, "subprocess.Popen[bytes]"] = {}


def end_all() -> None:
    """Kill the process groups of all commands that run for requests."""
    for process in list(_running.values()):
        _kill_group(process)


@contextmanager
def killed_on_exit(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Inside the context, the process is killed if `serve` exits."""
    _running[process.pid] = process
    try:
        yield
    finally:
        _running.pop(process.pid, None)


def execute(params: ExecParams, request: Request) -> Executed:
    argv = [str(argument) for argument in params["argv"]]
    process = _start(argv, params)
    _running[process.pid] = process
    request.on_change(lambda: _kill_group(process) if request.cancelled else None)
    try:
        return _collect(process, params)
    finally:
        _kill_group(process)
        _running.pop(process.pid, None)


def _start(argv: List[str], params: ExecParams) -> "subprocess.Popen[bytes]":
    env = environment.own_variables(params.get("env") or {})
    program = environment.find(argv[0], env["PATH"])
    if not program:
        raise RequestFailure("not_found", f"{argv[0]}: command not found")
    cwd = params.get("cwd")
    if cwd is not None and not Path(cwd).is_dir():
        raise RequestFailure("not_found", f"{cwd}: no such folder")
    with _output(params.get("stdout_path")) as out:
        return subprocess.Popen(
            argv,
            executable=program,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if params.get("stdin") is not None else subprocess.DEVNULL,
            stdout=out or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@contextmanager
def _output(path: Optional[str]) -> Iterator[Optional[IO[bytes]]]:
    if not path:
        yield None
        return
    make_private_folder(Path(path).parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        yield out


class _Reader(threading.Thread):
    """Reads a pipe to its end, so that the command does not block, and keeps the first `limit` bytes."""

    def __init__(self, pipe: Optional[IO[bytes]], limit: int) -> None:
        super().__init__(daemon=True)
        self.pipe = pipe
        self.limit = limit
        self.data = bytearray()
        self.truncated = False
        self.start()

    def run(self) -> None:
        while self.pipe:
            chunk = os.read(self.pipe.fileno(), CHUNK)
            if not chunk:
                break
            free = self.limit - len(self.data)
            self.truncated = self.truncated or len(chunk) > free
            self.data += chunk[:free]

    def text(self) -> str:
        return bytes(self.data).decode("utf-8", "surrogateescape")

    def base64(self) -> str:
        return base64.b64encode(self.data).decode("ascii")


def _collect(process: "subprocess.Popen[bytes]", params: ExecParams) -> Executed:
    limit = int(params.get("max_output") or DEFAULT_OUTPUT)
    seconds = float(params.get("timeout") or DEFAULT_SECONDS)
    out, err = _Reader(process.stdout, limit), _Reader(process.stderr, limit)
    if process.stdin:
        threading.Thread(target=_feed, args=(process.stdin, params["stdin"]), daemon=True).start()
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise RequestFailure("timeout", f"{params['argv'][0]} did not end within {seconds:g} s") from None
    _kill_group(process)
    for reader in (out, err):
        reader.join(GRACE_SECONDS)
    found = out.base64() if params.get("binary") else out.text()
    return {"rc": status, "out": found, "err": err.text(), "truncated": out.truncated or err.truncated}


def _feed(pipe: IO[bytes], text: str) -> None:
    try:
        pipe.write(text.encode("utf-8", "surrogateescape"))
        pipe.close()
    except OSError:
        pass  # the command ended without reading all of its input


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill the command and its group, which may still exist after the command was reaped."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
