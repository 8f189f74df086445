"""Answers to plans: what a user approves, with which words, and what comes then."""

from __future__ import annotations

from typing import Any

from aitask.lib.errors import Refused
from tasks.conversation.requests import Ask
from tasks.models import Run
from workspaces import permission_modes
from workspaces.hostkit.base.modes import PLAN

NO_PLAN = "A plan is approved into permissions with which the agent can work: ask, edits or full."


def modes_after(ask: Ask) -> list[permission_modes.ModeOption]:
    """Return the modes into which a plan can be approved: first the one that is meant if none is picked."""
    workspace = ask.run.task.workspace
    first = mode_after(ask.run)
    found = permission_modes.options(workspace, at_work=True)
    return sorted(found, key=lambda option: option.value != first)


def mode_after(run: Run) -> str:
    return permission_modes.after_plan(run.task.workspace, run.permission_mode)


def completed(ask: Ask | None, command: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a plan with its mode, and with an input only if the user has changed the text.

    Raises Refused for a mode in which nothing can be done. Answers to other requests stay as they are.
    """
    if ask is None or ask.kind != "plan" or command["command"] != "approve":
        return command
    mode = command.get("mode") or mode_after(ask.run)
    if mode == PLAN:
        raise Refused(NO_PLAN)
    answer = {name: value for name, value in command.items() if name != "input"}
    return {**answer, **_changed(ask, command.get("input")), "mode": mode}


def _changed(ask: Ask, given: Any) -> dict[str, Any]:
    """Return the input with the user's text. All else of it stays as the agent has sent it."""
    asked = ask.request.get("input") or {}
    if given is None or given == asked:
        return {}
    if not isinstance(given, dict) or not isinstance(given.get("plan"), str) or not given["plan"].strip():
        raise Refused("The changed plan is empty.", "Send it back with a message instead.")
    return {"input": {**asked, **given}}
