"""Plan limits of Claude Code off its own `/usage` screen: the last resort, for a version without `get_usage`.

It runs in a tmux server of its own for a few seconds, and types only where it knows what it looks at.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Dict, List, Optional

from ... import processes
from ...base.talk import NoAnswer
from ...files import make_private_folder
from ...folder import state_dir
from ...wire import PlanLimits, PlanWindow

SECONDS = 20.0
LOOK_SECONDS = 0.2
GRACE_SECONDS = 3.0
STILL_SECONDS = 4.0
"""A screen that stands still for so long and is not what is awaited will not become it."""
WIDTH, HEIGHT = 150, 60
QUIET = {
    "TZ": "UTC",
    "CLAUDE_CODE_SANDBOXED": "1",  # asks nothing about the folder, in which it does nothing
    "CLAUDE_CODE_SKIP_PROMPT_HISTORY": "1",
    "DISABLE_AUTOUPDATER": "1",
}
ACCOUNT = re.compile(r" · Claude (\w+)")
WINDOW = re.compile(r"^Current (session|week)(?: \(([^)]+)\))?$")
PERCENT = re.compile(r"(\d+(?:\.\d+)?)% used$")
RESETS = re.compile(
    r"^Resets (?:(\w{3}) (\d+)(?:, (\d{4}))?(?:, | at )?)?(?:(\d+)(?::(\d\d))?([ap]m))? ?\(UTC\)"
)
TROUBLE = re.compile(r"^(?:Error: )?((?:Failed to load|Could not refresh) usage data.*)$")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Screen:
    """The CLI in a terminal of its own, until a deadline (monotonic seconds)."""

    def __init__(self, env: Dict[str, str], deadline: float) -> None:
        self._tmux = shutil.which("tmux", path=env["PATH"]) or ""
        if not self._tmux:
            raise NoAnswer("tmux is not there to look at claude's screen.")
        self._deadline = deadline
        self._folder = Path(tempfile.mkdtemp(prefix="aitask-screen-"))
        self._env = {**env, **QUIET, processes.MARKER: str(self._folder), "TERM": "screen-256color"}
        # Always the same folder: claude remembers each in which it was started.
        self._cwd = state_dir() / "asking"
        make_private_folder(self._cwd)

    def open(self, program: str) -> None:
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        start = ["-f", "/dev/null", "new-session", "-d", "-c", str(self._cwd)]
        self._run(*start, *size, *self._guarded(program))

    def _guarded(self, program: str) -> List[str]:
        """Should we die meanwhile, it ends all the same, and its tmux with it."""
        limit = shutil.which("timeout", path=self._env["PATH"])
        return [limit, "--foreground", "-s", "KILL", str(int(2 * SECONDS)), program] if limit else [program]

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [self._tmux, "-u", "-S", "tmux", *words],  # the whole path may be too long for a socket
            env=self._env,
            cwd=str(self._folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
        )
        if done.returncode:
            raise NoAnswer("claude closed its screen without an answer.")
        return done.stdout.decode("utf-8", "replace")

    def wait(self, seen: Callable[[str], bool], what: str, seconds: float = SECONDS) -> str:
        """The screen on which that is seen. NoAnswer tells what stood there instead."""
        until = min(self._deadline, time.monotonic() + seconds)
        last, still_since = "", time.monotonic()
        while True:
            text = self._run("capture-pane", "-p").replace("\u00a0", " ")
            if seen(text):
                return text
            if text != last or not text.strip():
                last, still_since = text, time.monotonic()
            if time.monotonic() > min(until, still_since + STILL_SECONDS):
                raise NoAnswer(f"claude's screen shows no {what}{_instead(text)}")
            time.sleep(LOOK_SECONDS)

    def type(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def close(self) -> None:
        """End it and all that it started; leave nothing lying about."""
        with suppress(NoAnswer, subprocess.TimeoutExpired):
            self._run("kill-server")  # claude then tidies up behind itself
        until = time.monotonic() + GRACE_SECONDS
        while processes.marked(str(self._folder)) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        processes.sweep_marked(str(self._folder))
        shutil.rmtree(str(self._folder), ignore_errors=True)
        with suppress(OSError):
            self._cwd.rmdir()


def ask(program: str, env: Dict[str, str], deadline: float) -> PlanLimits:
    """The limits as the screen shows them. NoAnswer says why it does not."""
    screen = Screen(env, deadline)
    try:
        screen.open(program)
        start = screen.wait(_is_prompt, "prompt")
        screen.type("-l", "/usage")
        screen.wait(lambda text: "❯ /usage" in text, "typed command", 5.0)
        screen.type("Enter")
        shown = screen.wait(_is_usage, "plan limits")
    except subprocess.TimeoutExpired:
        raise NoAnswer("tmux did not answer.") from None
    finally:
        screen.close()
    account = ACCOUNT.search(start)
    windows = windows_of(shown, datetime.now(timezone.utc))
    return {"account": account.group(1).lower() if account else "", "windows": windows}


def _is_prompt(text: str) -> bool:
    """The empty box for a message, and no question: what is typed into one would answer it."""
    return any(line.rstrip() == "❯" for line in text.splitlines()) and "Enter to confirm" not in text


def _is_usage(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    return any(WINDOW.match(line) or TROUBLE.match(line) for line in lines)


def _instead(text: str) -> str:
    lines = [line.strip(" │╭╮╰╯─") for line in text.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return f", it says: {last[:200]}" if last else "."


def windows_of(text: str, now: datetime) -> List[PlanWindow]:
    """The windows of a `/usage` screen whose times are in UTC. NoAnswer when none is on it. Pure."""
    windows: List[PlanWindow] = []
    for line in (line.strip() for line in text.splitlines()):
        title, percent, reset = WINDOW.match(line), PERCENT.search(line), RESETS.match(line)
        if title:
            windows.append({"window": _name(title.group(1), title.group(2)), "used_percent": None})
        elif percent and windows:
            windows[-1].update({"used_percent": float(percent.group(1)), "resets_at": None})
        elif reset and windows:
            windows[-1]["resets_at"] = _moment(reset, now)
    told = [window for window in windows if window["used_percent"] is not None]
    if not told:
        trouble = next(filter(None, (TROUBLE.match(line.strip()) for line in text.splitlines())), None)
        why = f": {trouble.group(1).rstrip('.')}." if trouble else _instead(text)
        raise NoAnswer(f"claude's screen shows no plan limits{why}")
    return told


def _name(kind: str, scope: Optional[str]) -> str:
    """As the control request names them."""
    base = "five_hour" if kind == "session" else "seven_day"
    of = (scope or "").lower().replace(" only", "")
    return base if of in ("", "all models") else f"{base}_{of}".replace(" ", "_")


def _moment(found: "re.Match[str]", now: datetime) -> Optional[str]:
    """The next time that the words fit: of the day, or of the year. None when they name none."""
    month, day, year, hour, minute, half = found.groups()
    if not month and not hour:
        return None
    clock = (int(hour or 12) % 12 + (12 if half == "pm" else 0), int(minute or 0)) if hour else (0, 0)
    if not month:
        moment = now.replace(hour=clock[0], minute=clock[1], second=0, microsecond=0)
        return (moment if moment > now else moment + timedelta(days=1)).isoformat()
    if month not in MONTHS:
        return None
    moment = datetime(int(year or now.year), MONTHS.index(month) + 1, int(day), *clock, tzinfo=timezone.utc)
    if not year and moment < now - timedelta(days=1):
        moment = moment.replace(year=now.year + 1)
    return moment.isoformat()
