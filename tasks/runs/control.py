"""Commands to the runner of a live run, on its host."""

from __future__ import annotations

from aitask.lib.errors import Refused
from tasks.models import Run
from tasks.repository import Site, site_of
from tasks.runs import services as run_services
from workspaces.hostkit import wire
from workspaces.hosts import HostError

ANSWER_SECONDS = 10.0


def reach(run: Run) -> Site:
    """Connect to the run's host. Raises HostError if it can't be reached."""
    return site_of(run.task.workspace)


def send(run: Run, command: wire.RunCommand | wire.Json) -> wire.CommandAnswer:
    """Send one command to the run's runner and return its answer.

    Raises Refused if no runner listens or if it refuses, HostError if the host can't be reached.
    """
    if not run.is_live:
        raise Refused("This run has ended.", "Start a new run that continues its session.")
    if not run.run_dir:
        raise Refused("This run has not started yet.", "Try again when its agent is running.")
    host = site_of(run.task.workspace).host
    try:
        answer = host.call("control", {"dir": run.run_dir, "command": command}, timeout=ANSWER_SECONDS)
    except HostError as error:
        if error.code == "not_found":
            reason = "The agent can't be reached: its run is starting or has just ended."
            raise NoRunner(reason, "Try again in a moment.") from error
        raise
    if answer.get("later"):
        raise Later(str(answer.get("error")))
    if not answer.get("ok"):
        raise Refused(str(answer.get("error") or "The agent's runner refused the command."))
    return answer


class Later(Refused):
    """The command must be sent later: the agent has not started yet, or its run is ending."""


class NoRunner(Later):
    """The host answers, but the runner is not listening (not yet, or no longer)."""


def stop(run: Run) -> None:
    """Stop a run gracefully; cancel it if its agent is not running yet."""
    if run.is_live and not run.run_dir:
        run_services.cancel_task(run.task)
        return
    try:
        send(run, {"command": "stop"})
    except NoRunner:
        run_services.cancel_task(run.task)
