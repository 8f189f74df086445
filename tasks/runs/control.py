"""Words to the agent of a live run, through the runner on its host."""

from __future__ import annotations

from aitask.lib.errors import Refused
from tasks.models import Run
from tasks.repository import site_of
from tasks.runs import services as run_services
from workspaces.hostkit import wire
from workspaces.hosts import HostError

ANSWER_SECONDS = 10.0


def reach(run: Run) -> None:
    """Connect to the run's host; HostError when it can't be reached, and so was told nothing."""
    site_of(run.task.workspace)


def send(run: Run, command: wire.RunCommand | wire.Json) -> wire.CommandAnswer:
    """Hand one command to the run's runner and return its answer.

    Raises Refused when no runner listens or when it refuses, HostError when the host can't be reached.
    """
    if not run.is_live:
        raise Refused("This run has ended.", "Start a new one that goes on with its session.")
    if not run.run_dir:
        raise Refused("This run has not started yet.", "Try again when its agent is at work.")
    host = site_of(run.task.workspace).host
    try:
        answer = host.call("control", {"dir": run.run_dir, "command": command}, timeout=ANSWER_SECONDS)
    except HostError as error:
        if error.code == "not_found":
            reason = "No agent listens: the run is starting or has just ended."
            raise NoRunner(reason, "Try again in a moment.") from error
        raise
    if answer.get("later"):
        raise Later(str(answer.get("error")))
    if not answer.get("ok"):
        raise Refused(str(answer.get("error") or "The agent's runner refused it."))
    return answer


class Later(Refused):
    """Not now: the agent has not started yet, or its run is about to end."""


class NoRunner(Later):
    """The host answers, but the run's runner is not there (yet, or any more)."""


def stop(run: Run) -> None:
    """End a run in an orderly way; one whose agent is not at work yet is cancelled."""
    if run.is_live and not run.run_dir:
        run_services.cancel_task(run.task)
        return
    try:
        send(run, {"command": "stop"})
    except NoRunner:
        run_services.cancel_task(run.task)
