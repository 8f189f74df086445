"""Plan limits of Claude Code from its `/usage` screen, for versions without `get_usage`.

The CLI runs in a separate tmux server for a few seconds. Keys are sent only on a screen that is recognized.
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
POLL_SECONDS = 0.2
GRACE_SECONDS = 3.0
STILL_SECONDS = 4.0
"""If the screen has not changed for so long, stop waiting for the expected one."""
WIDTH, HEIGHT = 150, 60
QUIET = {
    "TZ": "UTC",
    "CLAUDE_CODE_SANDBOXED": "1",  # do not ask whether to trust the folder
    "CLAUDE_CODE_SKIP_PROMPT_HISTORY": "1",
    "DISABLE_AUTOUPDATER": "1",
}
ACCOUNT = re.compile(r" · Claude (\w+)")
WINDOW = re.compile(r"^Current (session|week)(?: \(([^)]+)\))?$")
PERCENT = re.compile(r"(\d+(?:\.\d+)?)% used$")
RESETS = re.compile(
    r"^Resets (?:(\w{3}) (\d+)(?:, (\d{4}))?(?:, | at )?)?(?:(\d+)(?::(\d\d))?([ap]m))? ?\(UTC\)"
)
ERROR = re.compile(r"^(?:Error: )?((?:Failed to load|Could not refresh) usage data.*)$")
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Screen:
    """The CLI in a separate terminal, until a deadline (monotonic seconds)."""

    def __init__(self, env: Dict[str, str], deadline: float) -> None:
        self._tmux = shutil.which("tmux", path=env["PATH"]) or ""
        if not self._tmux:
            raise NoAnswer("tmux was not found. It is needed to read claude's screen.")
        self._deadline = deadline
        self._folder = Path(tempfile.mkdtemp(prefix="aitask-screen-"))
        self._env = {**env, **QUIET, processes.MARKER: str(self._folder), "TERM": "screen-256color"}
        # Always the same folder, because claude saves each folder in which it was started.
        self._cwd = state_dir() / "asking"
        make_private_folder(self._cwd)

    def open(self, program: str) -> None:
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        start = ["-f", "/dev/null", "new-session", "-d", "-c", str(self._cwd)]
        self._run(*start, *size, *self._with_timeout(program))

    def _with_timeout(self, program: str) -> List[str]:
        """Return a command line that ends the CLI, and with it tmux, even if this process is killed."""
        limit = shutil.which("timeout", path=self._env["PATH"])
        return [limit, "--foreground", "-s", "KILL", str(int(2 * SECONDS)), program] if limit else [program]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            # a relative socket path, because the length of socket paths is limited
            [self._tmux, "-u", "-S", "tmux", *arguments],
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
        """Wait until `seen` is true for the screen, and return its text. Raises NoAnswer."""
        until = min(self._deadline, time.monotonic() + seconds)
        last, still_since = "", time.monotonic()
        while True:
            text = self._run("capture-pane", "-p").replace("\u00a0", " ")
            if seen(text):
                return text
            if text != last or not text.strip():
                last, still_since = text, time.monotonic()
            if time.monotonic() > min(until, still_since + STILL_SECONDS):
                raise NoAnswer(f"claude's screen shows no {what}{_last_line(text)}")
            time.sleep(POLL_SECONDS)

    def type(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def close(self) -> None:
        """Kill the CLI and all processes that it has started, and remove its folder."""
        with suppress(NoAnswer, subprocess.TimeoutExpired):
            self._run("kill-server")  # claude then removes its temporary files
        until = time.monotonic() + GRACE_SECONDS
        while processes.marked(str(self._folder)) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        processes.sweep_marked(str(self._folder))
        shutil.rmtree(str(self._folder), ignore_errors=True)
        with suppress(OSError):
            self._cwd.rmdir()


def ask(program: str, env: Dict[str, str], deadline: float) -> PlanLimits:
    """Return the limits that the screen shows. Raises NoAnswer with the reason if it shows none."""
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
    """Whether the screen shows an empty prompt, and no question that typed text would answer."""
    return any(line.rstrip() == "❯" for line in text.splitlines()) and "Enter to confirm" not in text


def _is_usage(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    return any(WINDOW.match(line) or ERROR.match(line) for line in lines)


def _last_line(text: str) -> str:
    lines = [line.strip(" │╭╮╰╯─") for line in text.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return f". Its last line: {last[:200]}" if last else "."


def windows_of(text: str, now: datetime) -> List[PlanWindow]:
    """Return the windows of a `/usage` screen with times in UTC. Raises NoAnswer if there are none."""
    windows: List[PlanWindow] = []
    for line in (line.strip() for line in text.splitlines()):
        title, percent, reset = WINDOW.match(line), PERCENT.search(line), RESETS.match(line)
        if title:
            windows.append({"window": _name(title.group(1), title.group(2)), "used_percent": None})
        elif percent and windows:
            windows[-1].update({"used_percent": float(percent.group(1)), "resets_at": None})
        elif reset and windows:
            windows[-1]["resets_at"] = _moment(reset, now)
    known = [window for window in windows if window["used_percent"] is not None]
    if not known:
        error = next(filter(None, (ERROR.match(line.strip()) for line in text.splitlines())), None)
        reason = f": {error.group(1).rstrip('.')}." if error else _last_line(text)
        raise NoAnswer(f"claude's screen shows no plan limits{reason}")
    return known


def _name(kind: str, scope: Optional[str]) -> str:
    """Return the window's name as in the control request."""
    base = "five_hour" if kind == "session" else "seven_day"
    of = (scope or "").lower().replace(" only", "")
    return base if of in ("", "all models") else f"{base}_{of}".replace(" ", "_")


def _moment(found: "re.Match[str]", now: datetime) -> Optional[str]:
    """Return the next time that matches the text; None if it has no time."""
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
