"""The guard of a run ensures that no process is left, and that every run has an outcome.

It claims the run's folder, starts the runner, waits for it, kills all remaining descendants, and writes the
outcome. If the tmux server of its window ends, the run goes on without one.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from .. import agents, processes
from ..control_client import NoListener, send_command
from ..folder import RunFolder
from ..outcome import CLOSED, Outcome, outcome_of
from ..wire import RunOutcome, RunSpec
from . import terminal
from .finish import finish
from .keep import FolderKeeper
from .shell import become_shell
from .window import WindowServer, hung_up_by_person

if TYPE_CHECKING:
    from .window_link import WindowLink

STOP_SECONDS = 7.0
"""How long the runner may take to stop after the terminal was closed."""
REPORT_SECONDS = 1.0
ALREADY = "This run has already been started. Nothing was done."


def main(path: str, window: "Optional[WindowLink]" = None) -> int:
    """Guard the run in this folder. `window` is a link to the window's process, unless it is this one."""
    folder = RunFolder(path)
    spec = folder.read_spec()
    if spec is None:
        print(f"There is no run in {path}.", file=sys.stderr)
        return 2
    # Before the claim: who ends now would leave a run that has had a guard, and no outcome.
    signal.pthread_sigmask(signal.SIG_BLOCK, WAITED)
    if not folder.claim():
        print(ALREADY)
        return 3
    if folder.cancelled:
        finish(folder, Outcome("cancelled", "cancelled", folder.cancel_reason() or "Cancelled"), "guard")
        return 0
    guard = Guard(folder, spec, window)
    outcome = guard.run()
    if guard.hung_up or folder.cancelled or signal.SIGHUP in signal.sigpending():
        return 0
    terminal.print_how_to_continue(folder, spec, outcome)
    if guard.window_lost:
        return 0  # the new window becomes the shell
    if window:
        window.become_shell(spec)
    else:
        become_shell(spec)
    return 0


class Guard:
    def __init__(self, folder: RunFolder, spec: RunSpec, window: "Optional[WindowLink]" = None) -> None:
        self.folder = folder
        self.spec = spec
        self.window = window
        self.server = WindowServer.current()
        self.hung_up = False
        "Whether a person has closed the window."
        self.window_lost = False
        "Whether the window's tmux server has ended."
        self.kill_requested = False
        self.runner = 0
        self._hangup = False
        self._lost_reported = False
        self.keeper = FolderKeeper(folder)
        with suppress(KeyError, ImportError):  # the runner reports it
            agents.get(spec["backend"])  # imported now: the packed hostkit may be gone at the end

    def run(self) -> RunOutcome:
        """Start the runner, wait until it ends, and return the outcome."""
        processes.become_subreaper()
        self._listen()
        modes = terminal.save_modes()
        self.runner = self._start_runner()
        status = self._wait()
        swept = processes.sweep()
        terminal.restore_modes(modes)
        self.keeper.check()
        return finish(self.folder, self._outcome(status), "guard", swept)

    def _listen(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.window:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, self._on_hangup)
        signal.signal(signal.SIGTERM, self._on_kill)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # They are blocked, so only sigtimedwait receives them: none is missed between a check and the wait.

    def _on_hangup(self, *_: object) -> None:
        self._hangup = True

    def _on_kill(self, *_: object) -> None:
        self.kill_requested = True

    def _start_runner(self) -> int:
        gc.freeze()  # or the first collection would copy the memory that both share
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITED | {signal.SIGINT})
            if self.window:
                self.window.close()
            run_and_exit(self.folder, self.spec)
        return pid

    def _wait(self) -> Optional[int]:
        """Wait for the runner and return its wait status.

        If a person closes the window, it is asked to stop; on SIGTERM, it is killed.
        """
        deadline = None
        while True:
            self._take_hangup()
            status = self._reap()
            if status is not None:
                return status
            if self.kill_requested or (deadline is not None and time.monotonic() > deadline):
                processes.send([self.runner], signal.SIGKILL)
            elif self.hung_up and deadline is None:
                deadline = time.monotonic() + STOP_SECONDS
            if self.hung_up:
                # repeated, because the runner may not have installed its handlers yet
                processes.send([self.runner], signal.SIGHUP)
            self.keeper.check()
            self._look_at_window()
            self._sleep(1.0 if deadline is None else 0.1)

    def _look_at_window(self) -> None:
        """Take the end of the window's process for a hangup: who was killed has passed no signal on."""
        if self.window and not (self.hung_up or self.window_lost) and self.window.is_gone():
            self._hangup = True

    def _sleep(self, seconds: float) -> None:
        taken = signal.sigtimedwait(WAITED | {signal.SIGINT} if self.window else WAITED, seconds)
        if taken and taken.si_signo == signal.SIGHUP:
            self._hangup = True
        elif taken and taken.si_signo == signal.SIGTERM:
            self.kill_requested = True
        elif taken and taken.si_signo == signal.SIGINT:  # passed on by the window's process
            processes.send([self.runner], signal.SIGINT)

    def _take_hangup(self) -> None:
        """Find out what a hangup means, and let the runner tell if it has lost its window."""
        if self._hangup:
            self._hangup = False
            if hung_up_by_person(self.server):
                self.hung_up = True
            else:
                self.window_lost = True
                terminal.let_go()
        if self.window_lost and not self._lost_reported:
            try:
                answer = send_command(self.folder.control, {"command": "window_lost"}, REPORT_SECONDS)
                self._lost_reported = bool(answer.get("ok"))
            except (NoListener, socket.timeout, ValueError):
                pass  # it does not listen yet: try again

    def _reap(self) -> Optional[int]:
        """Reap ended children. Return the runner's status if it is one of them."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return 0
            if ended is None:
                return None
            _, status = os.waitpid(ended.si_pid, 0)
            if ended.si_pid == self.runner:
                return status

    def _outcome(self, status: Optional[int]) -> Outcome:
        reported = outcome_of(self.folder.read_result())
        if reported:
            return reported
        if self.folder.cancelled:
            return Outcome("cancelled", "cancelled", self.folder.cancel_reason() or "Cancelled")
        if self.kill_requested:
            return Outcome("failed", "runner_died", "The run was terminated by another program (SIGTERM).")
        if self.hung_up:
            return CLOSED
        return Outcome("failed", "runner_died", _how_it_died(self.folder, status))


WAITED = {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM}


def _how_it_died(folder: RunFolder, status: Optional[int]) -> str:
    if status is not None and os.WIFSIGNALED(status):
        return f"The runner was killed by signal {os.WTERMSIG(status)}."
    try:
        last = folder.log.read_text("utf-8", "replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        last = "it left no error message"
    return f"The runner failed: {last}"


def run_and_exit(folder: RunFolder, spec: RunSpec) -> None:
    """Run the runner in this forked process, which is faster than starting Python again. Does not return."""
    status = 70
    try:
        from .runner import main

        status = main(folder, spec)
    except BaseException:
        import traceback

        folder.log.write_text(traceback.format_exc())
    finally:
        os._exit(status)
