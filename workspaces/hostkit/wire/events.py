"""Events: one per line in events.jsonl."""

from __future__ import annotations

import sys
from typing import List, Literal, Optional, TypedDict, Union

from .base import Json, RequestKind
from .runs import DiffSize
from .tokens import PlanWindow, UsageTotals

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired

WINDOW_LOST = "window_lost"
"""`code` of the notice that a live run has no window, because its tmux server has ended."""
MAX_OUTSIDE_PATHS = 50
"""Maximum number of paths in one `outside` event."""


class EventHead(TypedDict):
    """Fields that the journal adds to each event."""

    v: NotRequired[int]
    seq: NotRequired[int]
    "Counted from 1, without gaps."
    at: NotRequired[str]
    cut: NotRequired[int]
    "Original length of the longest text of the event, if texts were shortened; 1 if only nested parts were."


class StartedEvent(EventHead):
    """The CLI has started or resumed a session."""

    kind: Literal["started"]
    backend: str
    cli_version: NotRequired[Optional[str]]
    cli_session: NotRequired[Optional[str]]
    model: NotRequired[Optional[str]]
    reasoning_effort: NotRequired[Optional[str]]
    permission_mode: NotRequired[str]
    resumed: NotRequired[bool]
    pid: NotRequired[Optional[int]]


class TextEvent(EventHead):
    """A text of the agent."""

    kind: Literal["text"]
    text: str
    parent: NotRequired[Optional[str]]
    "Id of the tool call that started the sub-agent; none for the agent itself. The same in other events."


class ThinkingEvent(EventHead):
    kind: Literal["thinking"]
    text: str
    parent: NotRequired[Optional[str]]


class ToolEvent(EventHead):
    """A tool call. A `tool_result` with the same id follows."""

    kind: Literal["tool"]
    id: str
    name: str
    title: str
    "One line: the command, the path, the query."
    input: NotRequired[Json]
    parent: NotRequired[Optional[str]]


class ToolResultEvent(EventHead):
    kind: Literal["tool_result"]
    id: str
    output: str
    is_error: bool
    exit_code: NotRequired[Optional[int]]
    duration_ms: NotRequired[Optional[int]]


class FileChangeEvent(EventHead):
    """A change of a file by the tool call with this id."""

    kind: Literal["file_change"]
    id: str
    path: str
    "Relative to the worktree if it is inside."
    change: str
    "add, update, delete, or another value of the CLI."
    diff: str


class QuestionOption(TypedDict):
    label: str
    description: NotRequired[Optional[str]]


class Question(TypedDict):
    id: str
    question: str
    header: NotRequired[Optional[str]]
    multiple: NotRequired[bool]
    "Whether several options can be selected."
    options: NotRequired[List[QuestionOption]]


class Grant(TypedDict):
    """A permission for the rest of a run that a user can pick with an approval: more than one call."""

    id: str
    text: str
    "What it allows, in full words."
    mode: NotRequired[str]
    "The permission mode that it is; then `approve` carries the mode."


class ConsentWords(TypedDict):
    """What `allow` and `allow for this run` mean for a request, to follow these words."""

    once: NotRequired[str]
    run: NotRequired[str]


class RequestEvent(EventHead):
    """A request that waits for the user: an approval, questions, or a plan to approve."""

    kind: Literal["request"]
    id: str
    request_kind: RequestKind
    tool: str
    title: str
    input: NotRequired[Json]
    description: NotRequired[Optional[str]]
    reason: NotRequired[Optional[str]]
    cwd: NotRequired[Optional[str]]
    can_edit: NotRequired[bool]
    "Whether `approve` may change the input."
    can_allow_for_run: NotRequired[bool]
    "Whether the same call can be allowed for the run: tool, folder and every field of the input."
    grants: NotRequired[List[Grant]]
    words: NotRequired[ConsentWords]
    digest: NotRequired[str]
    "Of all that a user decides by: what is stored or shown is exact if its digest is this one."
    questions: NotRequired[List[Question]]
    plan: NotRequired[str]
    "The plan as Markdown, which is also the field `plan` of the input."


class RequestClosedEvent(EventHead):
    kind: Literal["request_closed"]
    id: str
    decision: str
    "allow, allow_for_run, deny or withdrawn."
    by: str
    "web, keyboard, agent or mode (the permission mode)."
    text: NotRequired[Optional[str]]
    "The message of a denial, or the grant that was picked."
    request_kind: NotRequired[str]
    "`plan`, if it was one. The fields below are only in the event of an approved plan."
    permission_mode: NotRequired[str]
    "The mode into which the plan was approved."
    edited_plan: NotRequired[str]
    "The approved plan, if the user has changed it."


class MessageEvent(EventHead):
    """The agent has taken a message of the user, or the prompt."""

    kind: Literal["message"]
    id: str
    text: str
    by: str
    "prompt, web or keyboard."


class UsageEvent(EventHead, UsageTotals):
    kind: Literal["usage"]


class LimitEvent(EventHead):
    """A change in how much of a plan limit is used."""

    kind: Literal["limit"]
    status: str
    "ok, warning or reached."
    windows: List[PlanWindow]
    resets_at: NotRequired[Optional[str]]


class StateEvent(EventHead):
    kind: Literal["state"]
    state: str
    "running, waiting or idle."


class NoticeEvent(EventHead):
    """Information for the user that is not an error."""

    kind: Literal["notice"]
    text: str
    code: NotRequired[str]
    "WINDOW_LOST, if the run has no window since its tmux server has ended."


class OutsideEvent(EventHead):
    """Something has changed outside the run's own branch and worktree while the run was going on."""

    kind: Literal["outside"]
    change: Literal["branch", "files", "config"]
    "A branch was moved or deleted; files of another worktree; settings or hooks of the repository."
    name: str
    "Full name of the branch, or path of the worktree."
    old: NotRequired[str]
    new: NotRequired[str]
    "Commits of the branch. Empty if it was deleted."
    paths: NotRequired[List[str]]
    "Some of the files in the worktree, or names of settings and hooks."
    more: NotRequired[int]
    "Number of further files."
    by_run: NotRequired[bool]
    "Whether a tool call of the run has changed the file, or a command of it has named the worktree."


class SettingsEvent(EventHead):
    """Settings from the next turn on. Only changed settings are included."""

    kind: Literal["settings"]
    by: str
    model: NotRequired[Optional[str]]
    reasoning_effort: NotRequired[Optional[str]]
    permission_mode: NotRequired[Optional[str]]


class ErrorEvent(EventHead):
    """A request to the model, or the run, has failed."""

    kind: Literal["error"]
    text: str
    code: str
    "connection, login, limit, model, rejected, server, setup or other."
    http_status: NotRequired[Optional[int]]
    retrying: bool
    "Whether the CLI retries."
    resets_at: NotRequired[Optional[str]]


class RawEvent(EventHead):
    """A line of the CLI that hostkit does not know, or an invalid line of events.jsonl."""

    kind: Literal["raw"]
    line: object
    why: NotRequired[str]
    "Set by the app for a line of events.jsonl that is no event: why it is none."
    unread: NotRequired[int]
    "Set by the app: how many such lines the run has, with this one."


class FinishedEvent(EventHead):
    """The last event of a run, with the main fields of its outcome."""

    kind: Literal["finished"]
    state: str
    reason_code: str
    reason: str
    resets_at: NotRequired[Optional[str]]
    commit: NotRequired[Optional[str]]
    diff: NotRequired[Optional[DiffSize]]


RunEvent = Union[
    StartedEvent,
    TextEvent,
    ThinkingEvent,
    ToolEvent,
    ToolResultEvent,
    FileChangeEvent,
    RequestEvent,
    RequestClosedEvent,
    MessageEvent,
    UsageEvent,
    LimitEvent,
    StateEvent,
    NoticeEvent,
    OutsideEvent,
    SettingsEvent,
    ErrorEvent,
    RawEvent,
    FinishedEvent,
]
