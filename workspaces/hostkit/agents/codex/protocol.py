"""What codex app-server is sent, and where its program lies."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import List, Tuple, Union

from ...wire import Json

CLIENT = {"name": "aitask", "title": "AI Task Manager", "version": "1"}
GREETING: Tuple[Json, ...] = (
    {"id": 1, "method": "initialize", "params": {"clientInfo": CLIENT}},
    {"method": "initialized"},
)
"""What its app-server is told before a question."""
TARGETS = {"x86_64": ("x64", "x86_64"), "aarch64": ("arm64", "aarch64")}
"""Names of this machine in npm packages and in the folders inside."""


def wire_id(key: str) -> Union[int, str]:
    """The id of a request as the CLI wrote it: a number, mostly."""
    return int(key) if key.isdigit() else key


def listed(value: object) -> List[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def decision_of(method: str, params: Json, word: str) -> Json:
    """The answer to an approval: accept, acceptForSession, decline or cancel."""
    if method != "item/permissions/requestApproval":
        return {"decision": word}
    granted = params.get("permissions") if word.startswith("accept") else {}
    return {"permissions": granted or {}, "scope": "session" if word == "acceptForSession" else "turn"}


def native_program(program: str) -> str:
    """The native binary behind the npm wrapper: it dies with us, the wrapper's child would not."""
    script = Path(program).resolve()
    short, long = TARGETS.get(platform.machine(), ("", ""))
    if script.suffix != ".js" or not short:
        return program
    package = script.parent.parent
    name = f"codex-linux-{short}"
    for root in (package.parent / name, package / "node_modules/@openai" / name, package):
        native = root / "vendor" / f"{long}-unknown-linux-musl" / "bin" / "codex"
        if native.is_file():
            return str(native)
    return program
