"""The runner: controls one CLI, and handles its lines, the user's commands and signals."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterable, Optional, Set, TypeVar

from .. import agents, environment, processes
from ..base.agent import AgentHost
from ..files import dumps
from ..folder import RunFolder
from ..journal import Journal, plain
from ..outcome import CLOSED, Outcome, no_room_for
from ..reserve import write_reserved
from ..wire import WINDOW_LOST, Json, RunEvent, RunResult, RunSpec, ShownPicture
from .cli import CliProcess
from .commands import Commands
from .control import ControlSocket
from .finish import finish
from .keyboard import Keyboard
from .live import LiveFeed
from .outside import PAUSE, Outside
from .pane import PaneWriter
from .pictures import Pictures
from .replacement import Replacement
from .setup import run_setup

STALL_SECONDS = 300.0
"""How long a CLI may retry without progress."""
START_SECONDS = 120.0
"""How long a CLI may print nothing after its start."""
INTERRUPT_SECONDS = 2.5
LEFTOVER_SECONDS = 0.5
"""How long the CLI has to end the processes of an interrupted turn."""
TICK_SECONDS = 1.0
LOST_WINDOW = "The tmux server on the host has ended. The run goes on, and gets a new window."
ROOM_PATIENCE = 30.0
"""How long the last events wait for room on a full disk."""
LOOK_SECONDS = 10.0
"""How long the end of a run waits for a look at the repository."""
T = TypeVar("T")


def main(folder: RunFolder, spec: RunSpec) -> int:
    guard = os.getppid()
    processes.die_with_parent(signal.SIGTERM)
    processes.become_subreaper()
    runner = Runner(folder, spec, guard)
    outcome = asyncio.run(runner.run())
    runner.close(outcome)
    if os.getppid() != guard:
        # the guard was killed, so its work is done here
        swept = processes.sweep() + processes.sweep_marked(os.fspath(folder.path))
        finish(folder, outcome, "runner", swept)
    return 0


class Runner(AgentHost):
    def __init__(self, folder: RunFolder, spec: RunSpec, guard: int) -> None:
        self.folder = folder
        self.spec = spec
        self.guard = guard
        self.pane = PaneWriter(folder.terminal)
        self.journal = Journal(folder.events, self.pane.show)
        self.cli = agents.get(spec["backend"])
        self.agent = self.cli.agent(spec, self)
        self.env = environment.of_spec(spec, self.cli.variables, folder=folder.path)
        self.env[processes.MARKER] = os.fspath(folder.path)
        self.outside = Outside(folder, spec)
        self.pictures = Pictures(folder.path / "pictures")
        self.process: Optional[CliProcess] = None
        self.closing = False
        self._open_tools: Set[str] = set()
        self._interrupting = False
        self._outcome_before: Optional[Outcome] = None
        self._stopped: Optional[Outcome] = None

    # AgentHost

    def send(self, message: Json) -> None:
        if self.process:
            self.process.send(message)

    def emit(self, event: RunEvent) -> None:
        if event["kind"] == "started":
            event["pid"] = self.process.pid if self.process else None
        elif event["kind"] == "tool":
            self._open_tools.add(str(event["id"]))
        elif event["kind"] == "tool_result":
            self._open_tools.discard(str(event["id"]))
        self.outside.note(event)
        self.agent.parts.settle(event, self.journal.last_seq + 1)
        self.journal.add(event)

    def keep_picture(self, content: bytes) -> Optional[ShownPicture]:
        return self.pictures.keep(content)

    # the run

    async def run(self) -> Outcome:
        """Run the CLI, and return the outcome."""
        self.over, self._ended = asyncio.Event(), asyncio.Event()
        self.pane.attach(asyncio.get_running_loop())
        commands = Commands(self)
        self.control = control = ControlSocket(self.folder.control, commands, LiveFeed(self.agent))
        self.keyboard = Keyboard(commands, self.pane)
        self._listen()
        await control.open()
        self.keyboard.open()
        try:
            return await self._work()
        finally:
            self.keyboard.close()
            control.close()
            self.pane.detach()

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self.interrupt)
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_hangup)

    def _on_hangup(self) -> None:
        guarded = os.getppid() == self.guard
        self.stop(CLOSED if guarded else Outcome("failed", "hangup", "The run's guard was killed."))

    async def _work(self) -> Outcome:
        self.pane.title(self.spec)
        for text in self.spec.get("notices") or []:
            self.emit({"kind": "notice", "text": text})
        if not Path(self.spec["worktree"]).is_dir():
            return Outcome("failed", "other", f"The worktree {self.spec['worktree']} does not exist.")
        if self.folder.cancelled:
            return Outcome("cancelled", "cancelled", self.folder.cancel_reason() or "Cancelled")
        watching = asyncio.ensure_future(self._watch_outside())
        try:
            return await self._set_up_and_converse()
        finally:
            self._ended.set()
            await asyncio.wait({watching}, timeout=LOOK_SECONDS)
            if watching.done():  # else `finish` compares with what was reported last
                self._report_outside(self.outside.noted())

    async def _set_up_and_converse(self) -> Outcome:
        failed = await run_setup(self)
        if failed or self._stopped:
            return self._stopped or failed or Outcome("failed", "setup")
        seconds = float(self.spec.get("replaced_seconds") or 0)
        self.replacement = Replacement(self.cli, self.env["PATH"], seconds)
        return await self._converse()

    async def _watch_outside(self) -> None:
        await in_thread(self.outside.begin)  # it has read everything long before the CLI has started
        while not await wait_for(self._ended, PAUSE):
            look = functools.partial(self.outside.look, idle=not self._open_tools)
            self._report_outside(await in_thread(look))

    def _report_outside(self, found: Iterable[RunEvent]) -> None:
        for event in found:
            self.emit(event)
        self.outside.save()

    def _missing(self) -> Outcome:
        text = f"{self.cli.program} was not found on the host. {self.cli.install_hint}"
        self.emit({"kind": "error", "text": text, "code": "other", "retrying": False})
        return Outcome("failed", "cli_missing", text)

    def _without_mode(self) -> Outcome:
        text = f"{self.cli.program} can't run in the permission mode {self.agent.mode!r}."
        self.emit({"kind": "error", "text": text, "code": "other", "retrying": False})
        return Outcome("failed", "other", text)

    async def _converse(self) -> Outcome:
        if self.agent.mode not in self.agent.modes:
            return self._without_mode()
        program = await self.replacement.find()
        if not program:
            return self._missing()
        self.process = CliProcess(
            self.folder.raw, self._on_line, self._note_unread, self.over.set, self.agent.is_partial
        )
        error = await self._start_cli(self.process, program)
        if error:
            return Outcome("failed", "cli_missing", f"{program} could not be started: {error}")
        self.agent.begin(self._prompt())
        outcome = await self._until_over()
        self.closing = True
        if not self.process.ended:
            self._tell_of_background()
            self.agent.stop_background_work()
        await self.process.close()
        if not self._stopped and not outcome and await self._is_replaced(self.process):
            return await self._converse_anew()
        return self._stopped or outcome or self._ended_by_itself()

    async def _start_cli(self, process: CliProcess, program: str) -> Optional[OSError]:
        """Start the CLI, and return why that is not possible."""
        argv = self.agent.command_line(program)
        env = dict(self.env, **self.agent.environment())
        while True:
            try:
                await process.start(argv, str(self.spec["worktree"]), env, self.agent.death_signal)
                return None
            except OSError as error:
                if self._stopped or not await self.replacement.may_pass(error):
                    return error

    async def _is_replaced(self, process: CliProcess) -> bool:
        """Whether the CLI has died before its first line, and another program has taken its place."""
        is_untouched = not process.lines and len(self.agent.waiting_messages) <= 1
        return is_untouched and await self.replacement.was_replaced()

    async def _converse_anew(self) -> Outcome:
        """Start the program that has replaced one that died before it had taken the prompt."""
        self.emit({"kind": "notice", "text": f"{self.cli.program} was replaced while it started: once more."})
        self.agent = self.cli.agent(self.spec, self)
        self.control.live.follow(self.agent)
        self.closing = False
        return await self._converse()

    def _tell_of_background(self) -> None:
        """Report commands that end now because the agent has finished: a server would never end by itself."""
        names = self.agent.background_commands()
        if names and self.agent.settled and not self.stopped:
            count = "1 background command" if len(names) == 1 else f"{len(names)} background commands"
            text = f"The agent has finished, which ended {count}: {', '.join(names[:5])}."
            hint = " If a result is needed, ask the agent to wait for it."
            self.emit({"kind": "notice", "text": text + hint})

    def _prompt(self) -> str:
        """Return the prompt without NUL characters and invalid UTF-8, which JSON can't contain."""
        data = self.folder.prompt.read_bytes()
        if b"\0" in data:
            text = f"{data.count(0)} NUL characters were removed from the prompt."
            self.emit({"kind": "notice", "text": text})
        return data.replace(b"\0", b"").decode("utf-8", "replace")

    def _on_line(self, line: Json) -> None:
        try:
            self.agent.feed(line)
        except OSError:
            raise  # the disk is full
        except Exception:  # the CLI wrote something unexpected: that harms this line only
            self._note_unread(line)
        if self._interrupting and self.agent.outcome is not self._outcome_before:
            self._interrupting = False
            asyncio.get_running_loop().call_later(LEFTOVER_SECONDS, self._end_leftovers)
        if self.agent.settled:
            self.over.set()

    def _note_unread(self, line: object) -> None:
        self.agent.raw.note("unreadable", line)

    def _end_leftovers(self) -> None:
        """Kill orphaned processes of an interrupted turn. The run continues."""
        if self.process and self.process.pid and not self.cli_ended:
            processes.kill_orphans({self.process.pid})

    async def _until_over(self) -> Optional[Outcome]:
        """Wait until the agent has finished, the CLI has ended or stalled, or the run is stopped."""
        began = time.monotonic()
        while not (self.agent.settled or self.cli_ended or self._stopped):
            self.over.clear()
            await wait_for(self.over, TICK_SECONDS)
            await self._keep_folder()
            processes.reap_orphans({self.process.pid} if self.process and self.process.pid else set())
            stalled = self._stall(began)
            if stalled:
                self.agent.report_failure(stalled.reason, stalled.code)
                return stalled
        if self._stopped:
            await self._settle_down()
        return None if self.cli_ended and not self.agent.settled else self.agent.outcome

    async def _keep_folder(self) -> None:
        """Restore what was deleted of the run's folder. The guard restores the other files."""
        self.journal.keep()
        await self.control.keep()

    @property
    def cli_ended(self) -> bool:
        return bool(self.process and self.process.ended)

    def _stall(self, began: float) -> Optional[Outcome]:
        now = time.monotonic()
        since = self.agent.retrying_since
        if since is not None and now - since > float(self.spec.get("stall_seconds") or STALL_SECONDS):
            return self.agent.last_retry
        if self.process and not self.process.lines and now - began > START_SECONDS:
            text = f"{self.cli.program} did not answer within {START_SECONDS:g} s."
            return Outcome("failed", "other", text)
        return None

    async def _settle_down(self) -> None:
        """Interrupt the turn, so that tools end and the CLI reports its tokens."""
        self.agent.withdraw_all()
        self.agent.interrupt()
        deadline = time.monotonic() + INTERRUPT_SECONDS
        while time.monotonic() < deadline and not (self.agent.settled or self.cli_ended):
            self.over.clear()
            await wait_for(self.over, 0.1)

    def _ended_by_itself(self) -> Outcome:
        """Return the outcome after the CLI ended unexpectedly."""
        outcome = self.agent.outcome
        if outcome and outcome.state == "failed":
            return outcome
        how, errors = self.process.exit_report() if self.process else ("", "")
        text = f"{self.cli.program} ended unexpectedly" + (f" ({how})" if how else "")
        text += f": {errors}" if errors else "."
        self.emit({"kind": "error", "text": text, "code": "other", "retrying": False})
        return Outcome("failed", "cli_died", text)

    # called by commands and signals

    def interrupt(self) -> None:
        if self.process and not self.cli_ended:
            self._interrupting, self._outcome_before = True, self.agent.outcome
            self.agent.interrupt()

    def report_lost_window(self) -> None:
        self.emit({"kind": "notice", "text": LOST_WINDOW, "code": WINDOW_LOST})

    def stop(self, outcome: Outcome) -> None:
        """End the run with this outcome. Only the first call counts."""
        if self._stopped is None:
            self._stopped = outcome
            self.over.set()

    @property
    def stopped(self) -> bool:
        return self._stopped is not None

    def close(self, outcome: Outcome) -> None:
        """Close the journal, and write the result for the guard."""
        self._conclude()
        unsaved = self.journal.close(ROOM_PATIENCE)
        if unsaved and outcome.state == "succeeded":
            outcome = no_room_for(unsaved)
        result: RunResult = {
            "state": outcome.state,
            "reason_code": outcome.code,
            "reason": outcome.reason,
            "resets_at": outcome.resets_at,
            "cli_session": self.agent.session,
            "usage": self.agent.usage,
            "thread_total": self.agent.thread_total,
        }
        write_reserved(self.folder.result, dumps(plain(result)))

    def _conclude(self) -> None:
        """Record the end of open requests and interrupted tools."""
        for key in list(self.agent.requests):
            self.agent.close_request(key, "withdrawn", "agent")
        for tool in sorted(self._open_tools):
            self.emit({"kind": "tool_result", "id": tool, "output": "Interrupted.", "is_error": True})
        self.agent.conclude()
        self.agent.set_state("idle")


async def in_thread(call: Callable[[], T]) -> T:
    """Call a function that may take long, while the runner goes on."""
    return await asyncio.get_running_loop().run_in_executor(None, call)


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, for at most so many seconds. Return whether it is set."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
