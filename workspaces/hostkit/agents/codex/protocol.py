"""Messages to codex app-server, and the path of its program."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import List, Tuple

from ...wire import ForkPoint, Json

CLIENT = {"name": "aitask", "title": "AI Task Manager", "version": "1"}
HANDSHAKE: Tuple[Json, ...] = (
    {"id": 1, "method": "initialize", "params": {"clientInfo": CLIENT}},
    {"method": "initialized"},
)
"""The messages that open a connection to the app-server."""
TARGETS = {"x86_64": ("x64", "x86_64"), "aarch64": ("arm64", "aarch64")}
"""Names of machine types in npm packages, and in the folders inside of them."""


def listed(value: object) -> List[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def place_of(fork: ForkPoint) -> Json:
    """Return the parameter of `thread/fork` that says where."""
    return {"beforeTurnId" if fork["before"] else "lastTurnId": fork["anchor"]}


def decision_of(method: str, params: Json, reply: str) -> Json:
    """Return the result for an approval. `reply` is accept, decline or cancel."""
    if method == "mcpServer/elicitation/request":  # a tool of an MCP server
        return {"action": reply, "content": {} if reply == "accept" else None, "_meta": None}
    if method != "item/permissions/requestApproval":
        return {"decision": reply}
    return {"permissions": (params.get("permissions") or {}) if reply == "accept" else {}, "scope": "turn"}


def native_program(program: str) -> str:
    """Return the native binary behind the npm wrapper, so that our signals reach it without the wrapper."""
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
