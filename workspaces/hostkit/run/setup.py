"""The setup command of a workspace. It runs once per worktree, before the CLI starts."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from ..files import write_atomic
from ..outcome import Outcome

if TYPE_CHECKING:
    from .runner import Runner

KEPT_OUTPUT = 64 * 1024
TOOL = "setup"
STOP_SECONDS = 0.1


async def run_setup(runner: "Runner") -> Optional[Outcome]:
    """Run it unless its marker file exists. Return the outcome if it fails, else None."""
    command = str(runner.spec.get("setup_command") or "").strip()
    marker = Path(runner.spec["setup_marker"]) if runner.spec.get("setup_marker") else None
    if not command or (marker and marker.exists()):
        return None
    title = " ".join(command.split())[:300]
    runner.emit({"kind": "tool", "id": TOOL, "name": TOOL, "title": title, "input": {"command": command}})
    began = time.monotonic()
    output, status = await _execute(runner, command)
    runner.emit(
        {
            "kind": "tool_result",
            "id": TOOL,
            "output": output,
            "is_error": status != 0,
            "exit_code": status,
            "duration_ms": int((time.monotonic() - began) * 1000),
        }
    )
    if runner.stopped:
        return None
    if status != 0:
        return _failed(runner, status, output)
    if marker:
        write_atomic(marker, b"")
    return None


def _failed(runner: "Runner", status: int, output: str) -> Outcome:
    last = output.strip().splitlines()[-1:] or ["it printed nothing"]
    text = f"The setup command failed with status {status}: {last[0]}"
    runner.emit({"kind": "error", "text": text, "code": "setup", "retrying": False})
    return Outcome("failed", "setup", text)


async def _execute(runner: "Runner", command: str) -> "tuple[str, int]":
    """Return the last part of its output, and its exit status."""
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=str(runner.spec["worktree"]),
        env=runner.env,
        start_new_session=True,
    )
    kept = bytearray()
    reading = asyncio.ensure_future(_read(process, runner, kept))
    ending = asyncio.ensure_future(process.wait())
    while not ending.done() and not runner.stopped:
        await asyncio.wait({ending}, timeout=STOP_SECONDS)
    if not ending.done():
        os.killpg(process.pid, signal.SIGKILL)
    status = await ending
    await asyncio.wait({reading}, timeout=1.0)
    reading.cancel()
    return bytes(kept).decode("utf-8", "replace"), status


async def _read(process: asyncio.subprocess.Process, runner: "Runner", kept: bytearray) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while process.stdout:
        chunk = await process.stdout.read(16384)
        if not chunk:
            return
        kept += chunk
        del kept[:-KEPT_OUTPUT]
        runner.pane.pass_on(decoder.decode(chunk))
