"""Schemas of requests and responses. Request bodies are strict: no unknown fields, no type coercion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import CoreSchema, core_schema

from tasks import editing
from tasks.board.cards import Card
from tasks.models import Event, Run, Task
from tasks.models.task import HIGHEST, LOWEST
from tasks.order import services as order
from tasks.runs.shell_commands import attach_command_on_host
from workspaces import clis
from workspaces.models import choices


@dataclass(frozen=True)
class OneOf:
    """One of these values; an enum in the OpenAPI document."""

    values: tuple[str, ...]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        return core_schema.literal_schema(list(self.values))


def one_of(values: Iterable[str]) -> OneOf:
    return OneOf(tuple(map(str, values)))


Backend = Annotated[str, one_of(clis.names())]
Status = Annotated[str, one_of(Task.Status.values)]
State = Annotated[str, one_of(Run.State.values)]
PermissionMode = Annotated[str, one_of(choices.PermissionMode.values)]
TaskMode = Annotated[str, one_of(["", *choices.PermissionMode.values])]
"A permission mode of a task; empty means the workspace's."
TaskKind = Annotated[str, one_of(Task.Kind.values)]
CostSource = Annotated[str, one_of(Run.CostSource.values)]

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
"The id of a row in a URL."


def without_nul(text: str) -> str:
    """Raise ValueError for NUL, which databases and CLIs can't hold."""
    if "\0" in text:
        raise ValueError("NUL characters are not allowed")
    return text


Text = Annotated[str, AfterValidator(without_nul)]
Choice = Annotated[str | None, Field(description="null or empty: the workspace's default")]


Labels = Annotated[list[str], Field(max_length=editing.MOST_LABELS, description="Words without spaces")]
Priority = Annotated[
    int, Field(ge=LOWEST, le=HIGHEST, description="A higher one comes first; 1 is high, 2 urgent, -1 low")
]
After = Annotated[
    list[int],
    Field(max_length=order.MOST, description="Ids of the workspace's tasks that its first run waits for"),
]
Until = Annotated[str, one_of(Task.Until.values)]
UNTIL_WORDS = "Until they are merged, or until the only one is finished, from whose branch it then starts"
BASE_WORDS = "The branch that it starts from; null or empty: the workspace's"

MOST_FILES = 100
FileId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Attachments = Annotated[list[FileId], Field(max_length=MOST_FILES, description="Ids of uploaded files")]
MODE_WORDS = "null or empty: the workspace's. Never more than its max_permission_mode"
NOT_SENT: Any = None
"Default of a field that is optional, but not nullable."


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent, with null as an empty string."""
        sent = self.model_dump(exclude_unset=True)
        return {name: "" if value is None else value for name, value in sent.items()}


class Answer(BaseModel):
    """A response, read from a row."""

    model_config = ConfigDict(from_attributes=True)


class NewTask(Body):
    workspace: int
    title: str = Field(default="", description="Empty: the first line of the prompt")
    prompt: str = ""
    backend: Backend | None = Field(default=None, description="null: the workspace's default")
    model: Choice = None
    reasoning_effort: Choice = None
    permission_mode: TaskMode | None = Field(default=None, description=MODE_WORDS)
    labels: Labels = []
    priority: Priority = 0
    after: After = []
    after_until: Until = Field(default=Task.Until.MERGED.value, description=UNTIL_WORDS)
    base_branch: str | None = Field(default=None, max_length=200, description=BASE_WORDS)
    attachments: Attachments = []


class TaskChange(Body):
    """Only the fields that are sent are changed."""

    title: str = NOT_SENT
    prompt: str = NOT_SENT
    backend: Backend = NOT_SENT
    model: Choice = None
    reasoning_effort: Choice = None
    permission_mode: TaskMode | None = Field(default=None, description=MODE_WORDS)
    labels: Labels = NOT_SENT
    priority: Priority = NOT_SENT
    after: After = NOT_SENT
    after_until: Until = Field(default=NOT_SENT, description=UNTIL_WORDS)
    base_branch: str | None = Field(default=None, max_length=200, description=BASE_WORDS)
    attachments: Attachments = NOT_SENT


class ForkFrom(Body):
    """A message or an answer in a run of the task, by the numbers of both. Files stay as they are."""

    run: int = Field(description="Number of the run, from 1")
    seq: int = Field(description="Number of the event")


class NewRun(Body):
    """All fields are optional. By default, the task runs with its own prompt, model and effort."""

    prompt: str | None = Field(default=None, description="null: the task's prompt")
    model: str | None = Field(default=None, description="null: the task's model; empty: the CLI's default")
    reasoning_effort: str | None = Field(default=None, description="null: the task's effort")
    permission_mode: TaskMode | None = Field(
        default=None,
        description="null: the task's, or that of an approved plan if the run continues its conversation",
    )
    attachments: Attachments | None = Field(
        default=None,
        description="Ids of files for the prompt. null: the task's, or none if the run continues a session",
    )
    resume: bool = Field(default=False, description="Continue the CLI session of the last run")
    rescue: bool = Field(
        default=False,
        description="Go on in a new session with a record of the earlier ones, made by the app; it stands"
        " before the prompt, if one is given",
    )
    fork: ForkFrom | None = Field(
        default=None, description="Continue a session up to one of its answers, or to before a message"
    )


class TaskOut(Answer):
    id: int
    workspace: int
    kind: TaskKind = Field(description="A plan's runs only read, and propose other tasks")
    title: str
    prompt: str
    backend: Backend
    model: str
    reasoning_effort: str
    permission_mode: TaskMode
    status: Status
    badge: str | None = Field(description="State of the newest run in a word or two, such as “needs you”")
    needs_you: bool
    activity: str = Field(description="What the agent did last; empty unless a run is active")
    branch: str
    worktree_path: str
    runs: list[int] = Field(description="Ids of its runs, oldest first")
    labels: list[str]
    priority: int
    after: list[int] = Field(description="Ids of the tasks that it comes after, also of deleted ones")
    after_until: Until
    base_branch: str = Field(description="The branch that it starts from; empty: the workspace's")
    attachments: list[int] = Field(description="Ids of the files of its prompt")
    archived: bool = Field(description="Done, and hidden from the board")
    files_changed: int
    lines_added: int
    lines_deleted: int
    created_at: datetime
    updated_at: datetime


TASK_FIELDS = (
    *("id", "title", "prompt", "backend", "model", "reasoning_effort", "status", "branch", "worktree_path"),
    *("kind", "permission_mode", "labels", "priority", "after_until", "base_branch"),
    *("files_changed", "lines_added", "lines_deleted", "created_at", "updated_at"),
)


class TaskPage(Answer):
    items: list[TaskOut]
    next: str | None = Field(description="The `cursor` of the next page; null after the last one")


def task_out(card: Card, runs: list[int], after: list[int], attachments: list[int]) -> TaskOut:
    """Return a task with the state of its newest run, the ids of its runs, predecessors and files."""
    task: Task = card.task
    return TaskOut.model_construct(
        **{name: getattr(task, name) for name in TASK_FIELDS},
        workspace=task.workspace_id,
        archived=task.is_archived,
        badge=card.badge.text if card.badge else None,
        needs_you=card.needs_you,
        activity=card.activity,
        runs=runs,
        after=after,
        attachments=attachments,
    )


class AgentSettingsFileOut(Answer):
    name: str
    text: str
    "Its start, at most 256 KiB, with escapes for what can't be seen."
    size: int
    "Size of the file in bytes."


class AgentSettingsOut(Answer):
    """What a task's branch brings for agents, which they run or obey without asking."""

    digest: str
    "Of all files; empty if there are none."
    allowed: bool
    files: list[AgentSettingsFileOut]


class AllowedContent(Body):
    digest: str
    "As read before: other content is not allowed by it."


class ProgressStep(Answer):
    text: str
    state: Literal["pending", "active", "done"]


class ProposalOut(Answer):
    title: str
    prompt: str
    after: list[int] = Field(description="Indexes of other proposals, from 0, that it comes after")
    touches: list[str] = Field(description="Files and folders that it will most likely change")
    check: str = Field(description="How to see that it is done")
    size: str = Field(description="S, M or L")


class RunOut(Answer):
    id: int
    task: int = Field(validation_alias="task_id")
    number: int
    kind: TaskKind = Field(description="A plan run only reads, and proposes tasks")
    state: State
    reason: str = Field(description="Why it waits or how it ended, as a sentence")
    reason_code: str = Field(description="The reason as a code; empty on success")
    backend: Backend
    model: str
    reasoning_effort: str
    permission_mode: PermissionMode
    activity: str
    tmux_session: str
    attach_command: str = Field(
        default="", description="What to type on the host to attach to its tmux session"
    )
    cli_session: str
    cli_version: str
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    last_heard_at: datetime | None
    last_event_at: datetime | None = Field(description="When its newest event arrived")
    limit_resets_at: datetime | None
    input_tokens: int = Field(description="Without cache reads and writes")
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int = Field(description="Included in the output tokens")
    cost_usd: float | None
    cost_source: CostSource | None
    commit: str
    progress: list[ProgressStep] = Field(description="The agent's own list of steps")
    proposals: list[ProposalOut] = Field(description="The tasks that a plan run proposes; the newest answer")
    proposal_notes: list[str] = Field(description="What was wrong in the answer and has been put right")
    background: list[dict[str, Any]] = Field(
        description="Commands and sub-agents that work beside the agent: {id, work, title, since, tokens, …}"
    )
    session_title: str = Field(description="What the CLI calls its conversation")
    context_used: int | None = Field(description="Tokens of context that are used")
    context_window: int | None = Field(description="Tokens of context that the model has")
    open_requests: list[dict[str, Any]] = Field(
        description="Its open requests: {id, kind, tool, input, digest, grants, …}; "
        "a form has its `schema`, a link its `url`"
    )
    last_seq: int = Field(description="Number of its newest event")


def run_out(run: Run) -> RunOut:
    return RunOut.model_validate(run).model_copy(update={"attach_command": attach_command_on_host(run)})


class EventOut(Answer):
    """An event of a run; further fields depend on its kind."""

    model_config = ConfigDict(extra="allow")

    seq: int
    at: datetime
    kind: str


def event_out(event: Event) -> EventOut:
    return EventOut.model_construct(**{**event.data, "seq": event.seq, "at": event.at, "kind": event.kind})


class Message(Body):
    text: Text = Field(default="", description="May be empty if there are files")
    when: Literal["now", "after_turn"] = "now"
    attachments: Attachments = []
    model: str | None = Field(default=None, max_length=100)
    reasoning_effort: str | None = Field(default=None, max_length=20)

    @model_validator(mode="after")
    def check_given(self) -> Message:
        if not (self.text.strip() or self.attachments):
            raise ValueError("give a text or attachments")
        return self


class RunSettings(Body):
    """Settings from the next turn on. Only the fields that are sent are changed."""

    model: str = Field(default="", max_length=100)
    reasoning_effort: str = Field(default="", max_length=20)
    permission_mode: PermissionMode | None = None

    @model_validator(mode="after")
    def check_given(self) -> RunSettings:
        if not (self.model or self.reasoning_effort or self.permission_mode):
            raise ValueError("give a model, a reasoning_effort or a permission_mode")
        return self


class Decision(Body):
    """The answer to an open request: a decision, answers to its questions, or the content of a form."""

    decision: Literal["allow", "allow_for_run", "deny", "cancel"] | None = Field(
        default=None, description="`cancel` closes a form or a link without saying no to it"
    )
    text: Text = Field(default="", description="A message to the agent, with deny")
    input: dict[str, Any] | None = Field(
        default=None, description="The changed input of the tool, with allow; of a plan: {plan}"
    )
    answers: dict[str, str | list[str]] | None = Field(
        default=None, description="Answers by question, or by field of a form as texts"
    )
    content: dict[str, Any] | None = Field(
        default=None,
        description="The values of a form, which must fit it, or the whole answer to what is `unknown`",
    )
    permission_mode: PermissionMode | None = Field(
        default=None,
        description="The mode from now on, with allow. Of a plan, null means the workspace's, or else ask",
    )
    grant: str | None = Field(
        default=None, description="The id of one of the request's grants, with allow_for_run"
    )
    digest: str | None = Field(
        default=None, description="The request's digest; it is refused if the request has another one"
    )

    @model_validator(mode="after")
    def check_given(self) -> Decision:
        given = [name for name in ("answers", "content", "input") if getattr(self, name) is not None]
        if self.decision is None and not set(given) & {"answers", "content"}:
            raise ValueError("give a decision, answers or content")
        if given and self.decision in ("deny", "cancel", "allow_for_run"):
            raise ValueError(f"{self.decision} takes neither answers nor content nor input")
        if len(given) > 1:
            raise ValueError(f"give either {given[0]} or {given[1]}")
        if self.grant is not None and self.decision != "allow_for_run":
            raise ValueError("a grant needs the decision allow_for_run")
        if self.permission_mode is not None and self.decision != "allow":
            raise ValueError("a permission_mode needs the decision allow")
        return self


class Done(BaseModel):
    """The command was accepted."""

    ok: Literal[True] = True


class Said(Done):
    """The message was accepted for this run."""

    run: int
