"""xterm.js without a page, to compare what a browser shows with what tmux holds."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from aitask.tests.lab.tools import missing, require_tool, tools_path

SCRIPT = Path(__file__).with_name("headless.mjs")
PACKAGE = "@xterm/headless"


class Shown:
    """What a terminal shows after some frames."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.lines: list[str] = [line.rstrip() for line in answer["lines"]]
        self.screen: list[str] = [line.rstrip() for line in answer["screen"]]
        self.joined = joined(self.lines, answer["starts"])
        "Lines with what was wrapped put together again."
        self.type: str = answer["type"]
        self.cursor: tuple[int, int] = tuple(answer["cursor"])
        self.size: tuple[int, int] = tuple(answer["size"])
        self.modes: dict[str, Any] = answer["modes"]
        self.answers: list[str] = answer["answers"]
        self.colours: list[list[int]] = answer["colours"]


def joined(lines: list[str], starts: list[bool]) -> list[str]:
    result: list[str] = []
    for line, is_start in zip(lines, starts, strict=True):
        if is_start or not result:
            result.append(line)
        else:
            result[-1] += line
    return result


class Headless:
    """One node process that shows many terminals, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [require_tool("node"), str(SCRIPT), str(modules())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def show(self, frames: Iterable[bytes | dict[str, Any]], *, size: tuple[int, int] = (80, 24)) -> Shown:
        """What the page's terminal shows after these frames of the socket."""
        steps: list[list[Any]] = []
        for frame in frames:
            if isinstance(frame, bytes):
                steps.append(["write", base64.b64encode(frame).decode()])
            elif frame["t"] in ("snapshot", "size"):
                steps.append(["resize", frame["cols"], frame["rows"]])
            elif frame["t"] == "role":
                steps.append(["role", frame["answers"]])
        return self.run(steps, size)

    def run(self, steps: list[list[Any]], size: tuple[int, int]) -> Shown:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"cols": size[0], "rows": size[1], "steps": steps}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "node has ended"
        return Shown(json.loads(line))

    def __enter__(self) -> Headless:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def modules() -> Path:
    """The folder whose node_modules hold xterm.js. Skips the test where it is missing."""
    for folder in tools_path():
        root = Path(folder).parents[1]
        if (root / "node_modules" / PACKAGE).is_dir():
            return root
    return missing(f"{PACKAGE} is not installed; `bash .ci/test` installs it")
