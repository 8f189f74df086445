"""The public mock server `@copilotkit/aimock`: an independent implementation of the APIs."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import processes
from .link import free_port
from .tools import require_tool, search_path
from .wait import wait_for


def one_command(message: str, tool: str, argument: str, command: str, answer: str) -> list[dict[str, Any]]:
    """Return fixtures for a prompt that contains `message`: one tool call, then a final text."""
    call = {"name": tool, "arguments": {argument: command}}
    return [
        {"match": {"userMessage": message, "turnIndex": 0}, "response": {"toolCalls": [call]}},
        {"match": {"userMessage": message, "turnIndex": 1}, "response": {"content": answer}},
    ]


@contextmanager
def aimock(folder: Path, fixtures: list[dict[str, Any]]) -> Iterator[str]:
    """Run the server with these fixtures; yields its URL."""
    file, port = folder / "aimock.json", free_port()
    file.write_text(json.dumps({"fixtures": fixtures}))
    command = [require_tool("llmock"), "--port", str(port), "--fixtures", str(file), "--log-level", "silent"]
    # Without the strict index, claude would always get the first answer.
    environment = {"PATH": search_path(), "AIMOCK_STRICT_TURN_INDEX": "1"}
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
    try:
        wait_for(lambda: _listens(port), 20, "aimock")
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.end(server)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
