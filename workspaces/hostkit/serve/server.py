"""Reads requests line by line, runs each in its own thread, and writes answers as lines."""

from __future__ import annotations

import os
import platform
import pwd
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict

from .. import environment, processes
from ..files import InvalidJson, dumps, loads
from ..folder import state_dir, tmux_socket
from ..wire import PROTOCOL, FailureBody, Hello, Json
from . import (
    agent_settings,
    attachments,
    cloning,
    commands,
    completion,
    doctor,
    files,
    forgotten,
    git,
    history,
    limits,
    live,
    models,
    ports,
    probe,
    programs,
    repositories,
    runs,
    spotlight,
    tail,
    tmux,
    trial,
    unseen,
)
from .packed import PackedKit, is_compiled, start_compiled
from .requests import Request, RequestFailure, failure_of

Verb = Callable[[Any, Request], object]
"""Each verb has its own parameter type: see wire/."""

MAX_REQUEST_DEPTH = 128
PART = 1024 * 1024
"""Bytes of an answer in one line, before the part is encoded."""

VERBS: Dict[str, Verb] = {
    "exec": commands.execute,
    "git": git.git,
    "git_record": git.git_record,
    "submodules": git.submodules,
    "git_place": git.git_place,
    "git_changes": git.git_changes,
    "git_decide": git.git_decide,
    "agent_settings": agent_settings.agent_settings,
    "read": files.read,
    "read_inside": files.read_inside,
    "read_binary": files.read_binary,
    "digests": files.digests,
    "special_files": files.special_files,
    "obstacles": files.obstacles,
    "unseen": unseen.find,
    "keep_ignored": unseen.keep_ignored,
    "restore_ignored": unseen.restore_ignored,
    "write": files.write,
    "stat": files.stat,
    "copy": files.copy,
    "prepare_run": runs.prepare_run,
    "forgotten_runs": forgotten.forgotten_runs,
    "run_state": runs.run_state,
    "control": runs.control,
    "cancel": runs.cancel,
    "tail": tail.tail,
    "live": live.live,
    "ports": ports.ports,
    "probe": probe.probe,
    "programs": programs.programs,
    "try_turn": trial.try_turn,
    "models": models.models,
    "commands": completion.commands,
    "list_files": completion.list_files,
    "limits": limits.limits,
    "transcripts": history.transcripts,
    "doctor": doctor.doctor,
    "read_scrollback": history.read_scrollback,
    "fold_scrollback": history.fold_scrollback,
    "recover_tmux": tmux.recover_tmux,
    "find_repositories": repositories.find_repositories,
    "list_folder": repositories.list_folder,
    "read_files": repositories.read_files,
    "start_clone": cloning.start_clone,
    "clone_state": cloning.clone_state,
    "spotlight_show": spotlight.spotlight_show,
    "spotlight_back": spotlight.spotlight_back,
    "spotlight_state": spotlight.spotlight_state,
    "upload_begin": attachments.upload_begin,
    "upload_part": attachments.upload_part,
    "upload_end": attachments.upload_end,
    "remove_folders": attachments.remove_folders,
    "blank_transcripts": attachments.blank_transcripts,
}

CHANGES = {"tail_change": "tail", "live_change": "live"}
"""Requests that change which runs an open stream follows."""


def main() -> int:
    zipapp = Path(sys.argv[0])
    if zipapp.suffix == ".pyz" and not is_compiled(zipapp):
        start_compiled(zipapp)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: terminate(0))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    threading.Thread(target=environment.search_path, args=({},), daemon=True).start()
    server = Server(sys.stdout.buffer)
    server.write(dumps({"hello": hello()}))
    server.serve(sys.stdin.buffer)
    terminate(0)
    return 0


def terminate(status: int) -> None:
    """Exit immediately, and kill commands started for requests. Runs are not children of this process."""
    environment.end_login_shell()
    commands.end_all()
    os._exit(status)


def user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def hello() -> Hello:
    return {
        "protocol": PROTOCOL,
        "hostkit": Path(sys.argv[0]).name,
        "python": platform.python_version(),
        "executable": sys.executable,
        "user": user_name(),
        "uid": os.getuid(),
        "hostname": socket.gethostname(),
        "home": str(Path.home()),
        "state_dir": str(state_dir()),
        "tmux_socket": str(tmux_socket()),
        "pid": os.getpid(),
        "platform": sys.platform,
        "boot_id": processes.boot_id(),
        "time": time.time(),
        "shell": environment.login_shell(),
    }


class Server:
    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._writing = threading.Lock()
        self._open: Dict[Any, Request] = {}
        self._kit = PackedKit(Path(sys.argv[0]))
        self._guard = threading.Lock()

    def write(self, line: bytes) -> None:
        """Write one line. Blocks while the other side does not read, so that no output accumulates here."""
        with self._writing:
            try:
                self._sink.write(line + b"\n")
                self._sink.flush()
            except OSError:
                terminate(1)

    def serve(self, source: BinaryIO) -> None:
        for line in source:
            if line.strip():
                self._accept(line)

    def _accept(self, line: bytes) -> None:
        try:
            message = loads(line, MAX_REQUEST_DEPTH)
            number = _hashable(message["id"])
            params = message.get("params") or {}
            if not isinstance(params, dict):
                raise InvalidJson("parameters are an object")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._fail(
                None, RequestFailure("bad_request", "not a request: a JSON object with an id is needed")
            )
            return
        if message.get("cancel"):
            self._cancel(number)
        elif str(message.get("verb")) in CHANGES:
            self._change_stream(number, CHANGES[str(message["verb"])], params)
        else:
            self._start(number, str(message.get("verb")), params)

    def _cancel(self, number: Any) -> None:
        request = self._open.get(number)
        if request:
            request.cancel()

    def _change_stream(self, number: Any, verb: str, params: Json) -> None:
        """Pass a change on to an open stream, whose number has the name of its verb."""
        request = self._open.get(params.get(verb))
        if request and request.verb == verb:
            request.deliver(params)
            self._answer(number, {"ok": {}})
        else:
            self._fail(number, RequestFailure("not_found", f"no such {verb}"))

    def _start(self, number: Any, verb: str, params: Json) -> None:
        with self._guard:
            if number in self._open:
                self._fail(number, RequestFailure("bad_request", f"request {number} is still open"))
                return
            request = self._open[number] = Request(number, verb, params, self._item)
        threading.Thread(target=self._work, args=(request,), daemon=True).start()

    def _work(self, request: Request) -> None:
        try:
            self._kit.keep()
            verb = VERBS.get(request.verb)
            if verb is None:
                raise RequestFailure("bad_request", f"unknown verb {request.verb}")
            answer = {"ok": verb(request.params, request)}
        except Exception as error:  # an exception of a verb is its answer, and never ends serve
            answer = {"error": _describe(failure_of(error))}
        with self._guard:
            del self._open[request.number]
        self._answer(request.number, answer)

    def _item(self, number: Any, encoded: bytes) -> None:
        self.write(b'{"id":' + dumps(number) + b',"item":' + encoded + b"}")

    def _answer(self, number: Any, answer: Json) -> None:
        """Write an answer: a long one as parts, so that no line is longer than the app accepts."""
        whole = dumps(dict({"id": number}, **answer))
        if len(whole) <= PART:
            self.write(whole)
            return
        for at in range(0, len(whole), PART):
            part = {
                "id": number,
                "part": whole[at : at + PART].decode("ascii"),
                "more": at + PART < len(whole),
            }
            self.write(dumps(part))

    def _fail(self, number: Any, failure: RequestFailure) -> None:
        self._answer(number, {"error": _describe(failure)})


def _hashable(number: Any) -> Any:
    hash(number)
    return number


def _describe(failure: RequestFailure) -> FailureBody:
    return {"kind": failure.kind, "message": str(failure)}
