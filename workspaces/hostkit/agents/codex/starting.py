"""How a thread and a turn of Codex are started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

from ...base.agent import PendingMessage
from ...base.proposals import SCHEMA
from ...wire import Json
from . import sandbox
from .attached import input_of
from .notifications import PROGRESS_CONFIG
from .protocol import place_of

if TYPE_CHECKING:
    from .agent import Codex


def thread_call(agent: "Codex", limits: str) -> Tuple[str, Json]:
    """Return the method that starts, resumes or forks the thread of a run, and its parameters.

    `limits` is the mode whose sandbox and approvals apply.
    """
    spec = agent.spec
    config: Json = {"model_reasoning_effort": agent.effort} if agent.effort else {}
    config["tools"] = PROGRESS_CONFIG
    params: Json = {"cwd": spec["worktree"], "config": config}
    params["approvalPolicy"] = sandbox.APPROVALS[limits]
    params.update(sandbox.of_thread(spec, limits))
    config.update(sandbox.profiles(spec))
    if agent.model:
        params["model"] = agent.model
    if spec.get("trial"):
        params["ephemeral"] = True  # without a transcript
    if agent.fork:
        params.update(threadId=spec["resume"], excludeTurns=True, **place_of(agent.fork))
        return "thread/fork", params
    if spec.get("resume"):
        params.update(threadId=spec["resume"], excludeTurns=True)
        return "thread/resume", params
    return "thread/start", params


def turn_params(agent: "Codex", message: PendingMessage, limits: str) -> Json:
    """Return the parameters of `turn/start` for this message."""
    params: Json = {
        "threadId": agent.session,
        "input": input_of(message.text, message.files),
        "clientUserMessageId": message.wire,
        "approvalPolicy": sandbox.APPROVALS[limits],
        **sandbox.of_turn(agent.spec, limits),
    }
    if agent.is_plan:
        params["outputSchema"] = SCHEMA
    if agent.effort:
        params["effort"] = agent.effort
    if agent.model:
        params["model"] = agent.model
    return params
