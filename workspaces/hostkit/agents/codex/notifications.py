"""Notifications of codex app-server that are about the session, and those that are not shown."""

from __future__ import annotations

from typing import Callable, Dict

from ...base.agent import Agent
from ...base.progress import progress_items
from ...wire import Json

PROGRESS_CONFIG: Json = {"update_plan": {"enabled": True}}
"""The agent's own list is off by default."""
_STREAMED = "parts of what the completed item has whole"
_SETTINGS = "of the host's own settings, plugins and login, not of the run"
_OTHER_CLIENTS = "of another client, or of a feature that the app does not use"
_BOOKS = "bookkeeping of the CLI about its threads"
IGNORED = {
    **dict.fromkeys(
        (
            *("item/agentMessage/delta", "item/plan/delta", "item/commandExecution/outputDelta"),
            *("item/commandExecution/terminalInteraction", "item/fileChange/outputDelta"),
            *("item/fileChange/patchUpdated", "item/mcpToolCall/progress"),
            *(
                "item/reasoning/summaryTextDelta",
                "item/reasoning/summaryPartAdded",
                "item/reasoning/textDelta",
            ),
        ),
        _STREAMED,
    ),
    **dict.fromkeys(
        (
            *("thread/started", "thread/readState/changed", "thread/archived", "thread/deleted"),
            *("thread/unarchived", "thread/closed", "thread/reverted", "thread/section/changed"),
            *(
                "thread/attachment/updated",
                "thread/goal/updated",
                "thread/goal/cleared",
                "thread/queue/changed",
            ),
            *("thread/prediction/updated", "thread/environment/connected", "thread/environment/disconnected"),
            *(
                "thread/settings/updated",
                "thread/project/updated",
                "project/changed",
                "turn/moderationMetadata",
            ),
        ),
        _BOOKS,
    ),
    **dict.fromkeys(
        (
            *(
                "account/updated",
                "account/gatewayOAuth/changed",
                "account/login/completed",
                "app/list/updated",
            ),
            *("skills/changed", "hook/started", "hook/completed", "mcpServer/startupStatus/updated"),
            *("mcpServer/oauthLogin/completed", "mcpServer/event/stream/notification", "configWarning"),
            *(
                "deprecationNotice",
                "modelProvider/authRecoveryStarted",
                "modelProvider/authRecoveryCompleted",
            ),
            *(
                "remoteControl/status/changed",
                "windows/worldWritableWarning",
                "windowsSandbox/setupCompleted",
            ),
        ),
        _SETTINGS,
    ),
    **dict.fromkeys(
        (
            *("command/exec/outputDelta", "process/outputDelta", "process/exited", "fs/changed"),
            *("thread/search/partial", "fuzzyFileSearch/sessionUpdated", "fuzzyFileSearch/sessionCompleted"),
            *("externalAgentConfig/import/progress", "externalAgentConfig/import/completed"),
            *("thread/realtime/started", "thread/realtime/itemAdded", "thread/realtime/item/started"),
            *("thread/realtime/item/transcript/delta", "thread/realtime/item/completed"),
            *("thread/realtime/transcript/delta", "thread/realtime/transcript/done", "thread/realtime/error"),
            *("thread/realtime/outputAudio/delta", "thread/realtime/sdp", "thread/realtime/closed"),
        ),
        _OTHER_CLIENTS,
    ),
    "turn/diff/updated": "the branch itself is compared",
    "thread/compacted": "the item of the compaction says the same",
    "model/verification": "about the login; a refusal is an error",
    "model/safetyBuffering/updated": "a delay, of which the page shows the time anyway",
    "item/autoApprovalReview/started": "its end is shown",
    "autoApprovalReview/strictReviewRequired": "its end is shown",
}
"""Notifications that are not shown, and why. All lines are in raw.jsonl."""


class SessionLines:
    """Shows the agent's own list, titles and models that were replaced. Of the agent's own thread only."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._emit = agent.host.emit
        self.handlers: Dict[str, Callable[[Json], None]] = {
            "turn/plan/updated": self._of_own_thread(self._plan),
            "thread/name/updated": self._of_own_thread(self._title),
            "model/rerouted": self._rerouted,
        }

    def _of_own_thread(self, show: Callable[[Json], None]) -> Callable[[Json], None]:
        def show_own(params: Json) -> None:
            if params.get("threadId") in (None, self._agent.session):
                show(params)

        return show_own

    def _plan(self, params: Json) -> None:
        self._agent.steps.show(progress_items(params.get("plan"), "step", "status"))

    def _title(self, params: Json) -> None:
        title = params.get("threadName")
        if isinstance(title, str) and title:
            self._emit({"kind": "title", "text": title})

    def _rerouted(self, params: Json) -> None:
        words = {name: _text(params.get(name)) for name in ("fromModel", "toModel", "reason")}
        self._emit(
            {
                "kind": "model_change",
                "why": "rerouted",
                "before": words["fromModel"],
                "model": words["toModel"],
                "text": words["reason"],
            }
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
