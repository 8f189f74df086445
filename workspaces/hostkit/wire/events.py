"""Events: one per line in events.jsonl."""

from __future__ import annotations

import sys
from typing import List, Literal, Optional, TypedDict, Union

from .attachments import ShownPicture
from .base import Json, RequestKind
from .progress import ProgressItem
from .proposals import ProposedTask
from .runs import DiffSize
from .tokens import PlanWindow, UsageTotals

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired

WINDOW_LOST = "window_lost"
"""`code` of the notice that a live run has no window, because its tmux server has ended."""
DENIED = "denied"
"""`code` of the notice that the CLI itself has denied a tool call, with the reason."""
PEER_MESSAGE = "peer_message"
"""`code` of the notice about a message of another session of the same account."""
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


class QuestionOption(TypedDict):
    label: str
    description: NotRequired[Optional[str]]


class Question(TypedDict):
    id: str
    question: str
    header: NotRequired[Optional[str]]
    multiple: NotRequired[bool]
    "Whether several options can be selected."
    other: NotRequired[bool]
    "False if only the options are answers."
    secret: NotRequired[bool]
    "Whether the answer is not to be shown or recorded."
    options: NotRequired[List[QuestionOption]]


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
    forked_from: NotRequired[Optional[str]]
    "The session that was forked. Then the run has a new session, whose totals may begin with that one's."
    pid: NotRequired[Optional[int]]


class TextEvent(EventHead):
    """A text of the agent."""

    kind: Literal["text"]
    text: str
    anchor: NotRequired[Optional[str]]
    "Where the CLI can fork the session, after this text. Codex can only do so after the whole turn."
    parent: NotRequired[Optional[str]]
    "Id of the tool call that started the sub-agent; none for the agent itself. The same in other events."
    questions: NotRequired[List[Question]]
    "What the agent asks without waiting. A message of the user is the answer."
    part: NotRequired[Optional[str]]
    "Id of the part that was shown while it was written (wire/live.py). The same in other events."


class ThinkingEvent(EventHead):
    kind: Literal["thinking"]
    text: str
    parent: NotRequired[Optional[str]]
    part: NotRequired[Optional[str]]


class ToolEvent(EventHead):
    """A tool call. A `tool_result` with the same id follows."""

    kind: Literal["tool"]
    id: str
    name: str
    title: str
    "One line: the command, the path, the query."
    input: NotRequired[Json]
    parent: NotRequired[Optional[str]]
    part: NotRequired[Optional[str]]


class ToolResultEvent(EventHead):
    kind: Literal["tool_result"]
    id: str
    output: str
    is_error: bool
    exit_code: NotRequired[Optional[int]]
    duration_ms: NotRequired[Optional[int]]
    part: NotRequired[Optional[str]]
    pictures: NotRequired[List[ShownPicture]]
    "What the agent has seen or made."


class FileChangeEvent(EventHead):
    """A change of a file by the tool call with this id."""

    kind: Literal["file_change"]
    id: str
    path: str
    "Relative to the worktree if it is inside."
    change: str
    "add, update, delete, or another value of the CLI."
    diff: str


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
    """A request that waits for the user.

    It is an approval, questions, a plan to approve, a form or a link of an MCP server, or what hostkit does
    not know.
    """

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
    server: NotRequired[str]
    "The MCP server that asks, or whose tool it is."
    message: NotRequired[str]
    "What the server says about its form or link."
    schema: NotRequired[Json]
    "The fields of a form. A form without it can't be shown as fields, and is answered as JSON."
    order: NotRequired[List[str]]
    "Names of the fields, in their order."
    url: NotRequired[str]
    "The address of a link. A link without it can only be declined or cancelled."
    expires_at: NotRequired[Optional[str]]
    "When the CLI goes on without an answer."


class RequestClosedEvent(EventHead):
    kind: Literal["request_closed"]
    id: str
    decision: str
    "allow, allow_for_run, deny or withdrawn; submit for a form or a raw answer, cancel for a form or a link."
    by: str
    "web, keyboard, agent or mode (the permission mode)."
    text: NotRequired[Optional[str]]
    "The message of a denial, or the grant that was picked."
    content: NotRequired[Json]
    "What was filled in, without the values of secret fields."
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
    attachments: NotRequired[List[int]]
    "Ids of the files that the user has given with it."
    anchor: NotRequired[Optional[str]]
    "The turn of the message, before which the CLI can fork the session."


class UsageEvent(EventHead, UsageTotals):
    kind: Literal["usage"]


class LimitEvent(EventHead):
    """A change in how much of a plan limit is used."""

    kind: Literal["limit"]
    status: str
    "ok, warning or reached."
    windows: List[PlanWindow]
    resets_at: NotRequired[Optional[str]]
    extra_usage: NotRequired[bool]
    "Whether requests beyond the plan's limit are paid for."


class StateEvent(EventHead):
    kind: Literal["state"]
    state: str
    "running, waiting or idle."


class ProgressEvent(EventHead):
    """The agent's own list of steps: all of it each time."""

    kind: Literal["progress"]
    items: List[ProgressItem]


class ProposalsEvent(EventHead):
    """The answer of a plan run: all tasks that the agent proposes. A later one replaces it."""

    kind: Literal["proposals"]
    items: List[ProposedTask]
    notes: NotRequired[List[str]]
    "Sentences about what was wrong in the answer and has been put right."


class BackgroundEvent(EventHead):
    """A command or a sub-agent that works beside the agent: all that is known of it each time."""

    kind: Literal["background"]
    id: str
    work: Literal["command", "agent", "other"]
    title: str
    state: Literal["running", "completed", "failed", "stopped"]
    since: NotRequired[Optional[str]]
    tool: NotRequired[Optional[str]]
    "Id of the tool call that has started it."
    parent: NotRequired[Optional[str]]
    waited: NotRequired[bool]
    "Whether the agent waits for it, so that it is not in the background."
    doing: NotRequired[Optional[str]]
    "What it did last, in a few words."
    tokens: NotRequired[Optional[int]]
    tool_uses: NotRequired[Optional[int]]
    seconds: NotRequired[Optional[float]]
    result: NotRequired[Optional[str]]


class CompactionEvent(EventHead):
    """The CLI replaces the conversation by a summary."""

    kind: Literal["compaction"]
    phase: Literal["started", "finished", "failed"]
    trigger: NotRequired[str]
    "manual or auto."
    before: NotRequired[Optional[int]]
    after: NotRequired[Optional[int]]
    "Tokens of context."
    text: NotRequired[Optional[str]]
    "Why it has failed."


class ModelChangeEvent(EventHead):
    """The CLI or the service has replaced the model."""

    kind: Literal["model_change"]
    why: Literal["fallback", "refusal", "rerouted"]
    before: NotRequired[Optional[str]]
    model: NotRequired[Optional[str]]
    text: NotRequired[Optional[str]]


class TitleEvent(EventHead):
    """The CLI has given the conversation a title."""

    kind: Literal["title"]
    text: str


class SessionEvent(EventHead):
    """The conversation goes on in another CLI session, as after `/clear`."""

    kind: Literal["session"]
    cli_session: str


class LocalCommandEvent(EventHead):
    """A command of the CLI itself, such as `/usage`, and what it has printed."""

    kind: Literal["local_command"]
    name: str
    output: str


class MessageReturnedEvent(EventHead):
    """The agent will not take a message that the CLI has already accepted."""

    kind: Literal["message_returned"]
    id: str
    text: str
    reason: str


class NoticeEvent(EventHead):
    """Information for the user that is not an error."""

    kind: Literal["notice"]
    text: str
    code: NotRequired[str]
    "WINDOW_LOST, if the run has no window since its tmux server has ended; DENIED or PEER_MESSAGE."
    parent: NotRequired[Optional[str]]
    pictures: NotRequired[List[ShownPicture]]
    "What the run has made by commands."


class OutsideEvent(EventHead):
    """Something has changed outside the run's own branch and worktree while the run was going on."""

    kind: Literal["outside"]
    change: Literal["branch", "files", "config", "head"]
    """A branch was moved or deleted; files of another worktree; settings or hooks of the repository; another
    branch was checked out in the main worktree."""
    name: str
    "Full name of the branch, or path of the worktree."
    old: NotRequired[str]
    new: NotRequired[str]
    "Commits of the branch, empty if it was deleted; of `head`, names of branches or `(detached)`."
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
    "connection, login, limit, model, rejected, server, session (the CLI does not have it), setup or other."
    http_status: NotRequired[Optional[int]]
    retrying: bool
    "Whether the CLI retries."
    resets_at: NotRequired[Optional[str]]


class RawEvent(EventHead):
    """A line of the CLI that hostkit does not know, or an invalid line of events.jsonl."""

    kind: Literal["raw"]
    line: object
    type: NotRequired[str]
    "The type of the line, as the CLI names it."
    count: NotRequired[int]
    "Number of lines of this type for which the event stands; 1 if it is missing."
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
    ProgressEvent,
    ProposalsEvent,
    BackgroundEvent,
    CompactionEvent,
    ModelChangeEvent,
    TitleEvent,
    SessionEvent,
    LocalCommandEvent,
    MessageReturnedEvent,
    NoticeEvent,
    OutsideEvent,
    SettingsEvent,
    ErrorEvent,
    RawEvent,
    FinishedEvent,
]
