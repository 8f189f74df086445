"""`probe`: which CLIs are here, in which version, and are they logged in."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from typing import Callable, Dict, List, Optional

from .. import environment
from ..agents.codex.protocol import native_program
from ..files import Json
from .requests import Request

LIMIT_SECONDS = 10.0
Login = Callable[[str, Dict[str, str], float], Json]
"""Asks a CLI at this path, with this environment and deadline, whether it is logged in."""
VERSION = re.compile(r"\d+\.\d+\.\d+\S*")


def probe(params: Json, _request: Request) -> Json:
    """Ask both CLIs at once; each has so many seconds in all."""
    env = environment.variables(params.get("environment") or {})
    found: Dict[str, Json] = {}

    def ask(name: str, program: str, login: Login) -> None:
        found[name] = _probe_one(program, env, login)

    threads = [
        threading.Thread(target=ask, args=("claude_code", "claude", _claude_login), daemon=True),
        threading.Thread(target=ask, args=("codex", "codex", _codex_login), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _probe_one(program: str, env: Dict[str, str], login: Login) -> Json:
    deadline = time.monotonic() + LIMIT_SECONDS
    path = environment.find(program, env["PATH"])
    answer: Json = {"path": path, "version": None, "logged_in": None, "detail": ""}
    if not path:
        answer["detail"] = f"{program} is not installed, or not on the PATH."
        return answer
    try:
        answer["version"] = version_of(path, env, deadline)
        answer.update(login(path, env, deadline))
    except (subprocess.TimeoutExpired, OSError, ValueError) as error:
        answer["detail"] = f"{program} did not answer: {error}"
    return answer


def version_of(path: str, env: Dict[str, str], deadline: float) -> Optional[str]:
    """What `--version` says, shortened to the number where there is one. Raises TimeoutExpired or OSError."""
    said = _run([path, "--version"], env, deadline).stdout
    match = VERSION.search(said)
    return match.group(0) if match else said.strip() or None


def _run(
    argv: List[str], env: Dict[str, str], deadline: float, stdin: Optional[str] = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv,
        env=env,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=max(0.1, deadline - time.monotonic()),
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _claude_login(path: str, env: Dict[str, str], deadline: float) -> Json:
    status = json.loads(_run([path, "auth", "status"], env, deadline).stdout)
    kind = status.get("subscriptionType") or status.get("apiKeySource") or status.get("authMethod")
    return {"logged_in": bool(status.get("loggedIn")), "detail": str(kind or "")}


def _codex_login(path: str, env: Dict[str, str], deadline: float) -> Json:
    """By the app-server: `codex login status` knows nothing of other providers' keys."""
    with subprocess.Popen(
        [native_program(path), "app-server"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        clock = threading.Timer(max(0.1, deadline - time.monotonic()), process.kill)
        clock.start()
        try:
            account = _ask_account(process)
        finally:
            clock.cancel()
            process.kill()
    if account is None:
        raise ValueError("no answer about the account")
    if account.get("account"):
        return {"logged_in": True, "detail": str(account["account"].get("type") or "")}
    needed = bool(account.get("requiresOpenaiAuth"))
    return {"logged_in": not needed, "detail": "" if needed else "a provider of its own"}


def _ask_account(process: "subprocess.Popen[bytes]") -> Optional[Json]:
    if not process.stdin or not process.stdout:
        return None
    client = {"clientInfo": {"name": "aitask", "version": "1"}}
    for message in (
        {"id": 1, "method": "initialize", "params": client},
        {"method": "initialized"},
        {"id": 2, "method": "account/read", "params": {}},
    ):
        process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()
    for line in process.stdout:
        answer = json.loads(line)
        if answer.get("id") == 2:
            result: Optional[Json] = answer.get("result")
            return result
    return None
