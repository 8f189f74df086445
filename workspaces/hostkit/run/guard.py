"""The guard of a run: its only job is that nothing is left behind, and that every run has an outcome.

It claims the run folder, starts the runner, waits, ends every process below itself and has the outcome
written.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Optional

from .. import processes
from ..folder import RunFolder
from ..outcome import Outcome, outcome_of
from ..wire import RunOutcome, RunSpec
from . import terminal
from .finish import finish
from .shell import become_shell

STOP_SECONDS = 7.0
"""How long the runner may take to stop after the terminal was closed."""
ALREADY = "This run has been started already; nothing is done here."


def main(path: str) -> int:
    folder = RunFolder(path)
    spec = folder.read_spec()
    if spec is None:
        print(f"There is no run in {path}.", file=sys.stderr)
        return 2
    if not folder.claim():
        print(ALREADY)
        return 3
    if folder.cancelled:
        finish(folder, Outcome("cancelled", "cancelled", folder.cancel_reason() or "Cancelled"), "guard")
        return 0
    guard = Guard(folder, spec)
    outcome = guard.run()
    if guard.hung_up or folder.cancelled or signal.SIGHUP in signal.sigpending():
        return 0
    terminal.say_how_to_go_on(folder, spec, outcome)
    become_shell(spec)
    return 0


class Guard:
    def __init__(self, folder: RunFolder, spec: RunSpec) -> None:
        self.folder = folder
        self.spec = spec
        self.hung_up = False
        self.told_to_kill = False
        self.runner = 0

    def run(self) -> RunOutcome:
        """Own the runner from start to end; the outcome."""
        processes.become_subreaper()
        self._listen()
        modes = terminal.save_modes()
        self.runner = self._start_runner()
        status = self._wait()
        swept = processes.sweep()
        terminal.restore_modes(modes)
        return finish(self.folder, self._outcome(status), "guard", swept)

    def _listen(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, self._on_hangup)
        signal.signal(signal.SIGTERM, self._on_kill)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # from here on these are only taken while waiting: none can arrive between a check and the wait
        signal.pthread_sigmask(signal.SIG_BLOCK, WAITED)

    def _on_hangup(self, *_: object) -> None:
        self.hung_up = True

    def _on_kill(self, *_: object) -> None:
        self.told_to_kill = True

    def _start_runner(self) -> int:
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITED)
            run_and_exit(self.folder, self.spec)
        return pid

    def _wait(self) -> Optional[int]:
        """Wait for the runner; its wait status. A closed terminal makes it stop, SIGTERM ends it at once."""
        deadline = None
        while True:
            status = self._reap()
            if status is not None:
                return status
            if self.told_to_kill or (deadline is not None and time.monotonic() > deadline):
                processes.send([self.runner], signal.SIGKILL)
            elif self.hung_up and deadline is None:
                deadline = time.monotonic() + STOP_SECONDS
            if self.hung_up:
                # again and again: it may just be starting, with no ear for signals yet
                processes.send([self.runner], signal.SIGHUP)
            self._sleep(1.0 if deadline is None else 0.1)

    def _sleep(self, seconds: float) -> None:
        taken = signal.sigtimedwait(WAITED, seconds)
        if taken and taken.si_signo == signal.SIGHUP:
            self.hung_up = True
        elif taken and taken.si_signo == signal.SIGTERM:
            self.told_to_kill = True

    def _reap(self) -> Optional[int]:
        """Collect ended children, each by its pid; the runner's status when it is among them."""
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
        spoken = outcome_of(self.folder.read_result())
        if spoken:
            return spoken
        if self.folder.cancelled:
            return Outcome("cancelled", "cancelled", self.folder.cancel_reason() or "Cancelled")
        if self.told_to_kill:
            return Outcome("failed", "runner_died", "The run was ended from outside (SIGTERM).")
        if self.hung_up:
            return Outcome("failed", "hangup", "The terminal was closed.")
        return Outcome("failed", "runner_died", _how_it_died(self.folder, status))


WAITED = {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM}


def _how_it_died(folder: RunFolder, status: Optional[int]) -> str:
    if status is not None and os.WIFSIGNALED(status):
        return f"The runner was ended by signal {os.WTERMSIG(status)}."
    try:
        last = folder.log.read_text("utf-8", "replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        last = "it left no word"
    return f"The runner broke: {last}"


def run_and_exit(folder: RunFolder, spec: RunSpec) -> None:
    """The runner's process, forked from the guard: to start Python again would make a person wait."""
    status = 70
    try:
        from .runner import main

        status = main(folder, spec)
    except BaseException:
        import traceback

        folder.log.write_text(traceback.format_exc())
    finally:
        os._exit(status)
