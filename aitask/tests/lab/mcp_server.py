"""A small MCP server on standard input and output, and how both CLIs are told of it.

Its tools: `ping` only reads, `note` appends a line to a file, `ask` sends its argument `params` to the user
as an elicitation and answers with the user's reply.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
NAME = "demo"
PROGRAM = Path(__file__).resolve()

TOOLS: list[Json] = [
    {"name": "ping", "description": "Answers", "annotations": {"readOnlyHint": True}},
    {
        "name": "note",
        "description": "Appends a line to a file",
        "annotations": {"readOnlyHint": False, "destructiveHint": True},
        "inputSchema": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "text": {"type": "string"}},
            "required": ["path", "text"],
        },
    },
    {
        "name": "ask",
        "description": "Asks the user",
        "inputSchema": {"type": "object", "properties": {"params": {"type": "object"}}},
    },
]
PLAIN: Json = {"type": "object", "properties": {}}


def add_to_home(home: Path, name: str = NAME) -> None:
    """Add the server to the settings of both CLIs in a home that `make_cli_home` has made."""
    path = home / ".claude" / ".claude.json"
    settings = json.loads(path.read_text())
    server = {"type": "stdio", "command": sys.executable, "args": [str(PROGRAM)]}
    path.write_text(json.dumps({**settings, "mcpServers": {name: server}}))
    words = [f"[mcp_servers.{name}]", f'command = "{sys.executable}"', f'args = ["{PROGRAM}"]']
    with (home / ".codex" / "config.toml").open("a") as config:
        config.write("\n" + "\n".join(words) + "\n")


def send(message: Json) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def read() -> Iterator[Json]:
    for line in sys.stdin:
        yield json.loads(line)


def ask(params: Json, messages: Iterator[Json]) -> str:
    """Send an elicitation and wait for its reply. Whatever else arrives meanwhile is answered later."""
    send({"id": "asked", "method": "elicitation/create", "params": params})
    for message in messages:
        if message.get("id") == "asked":
            return json.dumps(message.get("result") or message.get("error"))
    return "no answer"


def call(name: str, given: Json, messages: Iterator[Json]) -> str:
    if name == "note":
        with Path(given["path"]).open("a") as out:
            out.write(given["text"] + "\n")
        return "noted"
    return ask(given["params"], messages) if name == "ask" else "pong"


def answer(message: Json, messages: Iterator[Json]) -> Json:
    params = message.get("params") or {}
    match message["method"]:
        case "initialize":
            about = {"name": NAME, "version": "1"}
            version = params.get("protocolVersion")
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
        case "tools/list":
            return {"tools": [{"inputSchema": PLAIN, **tool} for tool in TOOLS]}
        case "tools/call":
            text = call(params["name"], params.get("arguments") or {}, messages)
            return {"content": [{"type": "text", "text": text}]}
    return {}


def main() -> None:
    messages = read()
    for message in messages:
        if "id" in message and "method" in message:
            send({"id": message["id"], "result": answer(message, messages)})


if __name__ == "__main__":
    main()
