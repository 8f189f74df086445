"""What the server and hostkit send each other as JSON, and what hostkit leaves on the host for both.

Both sides import this file; on hosts it runs on Python 3.8, where no annotation is ever evaluated, and the
subcommands that must start at once import it for their types alone. Times are ISO 8601 in UTC where they are
text, and seconds since 1970 where they are numbers. Text of files and programs may have surrogates for bytes
that are no UTF-8. Types are no proof: what an agent could have written is checked by the server
(`workspaces/hosts/untrusted.py`) before it is taken for one of these.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Literal, Optional, Tuple, TypedDict, Union

if sys.version_info >= (3, 11):  # earlier ones do not need it: see above
    from typing import NotRequired

Json = Dict[str, Any]
"""An object whose form somebody else decides: a CLI, a model, a tool."""
PermissionModeName = Literal["ask", "edits", "full"]
RequestKind = Literal["approval", "question", "plan"]
EndState = Literal["succeeded", "failed", "cancelled"]
FailureKind = Literal["not_found", "permission", "timeout", "exists", "bad_request", "failed"]
PROTOCOL = 1
"""Version of the request protocol, of spec.json and of the events."""
PERMISSION_MODES: Tuple[PermissionModeName, ...] = ("ask", "edits", "full")
"""Ask before changes; edit files but ask for commands; everything without asking."""
TOKEN_KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
"""Input is without cache reads and writes; reasoning is a part of the output."""


# The connection


class Hello(TypedDict):
    """The first line of `serve`, as {"hello": …}."""

    protocol: int
    hostkit: str
    "File name of the zipapp, which names its content."
    python: str
    executable: str
    "Path of the Python that runs it."
    user: str
    uid: int
    hostname: str
    home: str
    state_dir: str
    "Where hostkit keeps everything on this host."
    pid: int
    platform: str
    boot_id: str
    time: float
    shell: str
    "The user's login shell."


class FailureBody(TypedDict):
    """Why a request failed, as {"id", "error": …}."""

    kind: FailureKind
    message: str


# Tokens and limits


class ModelUsage(TypedDict):
    """What one model of a run used, as far as the CLI says it."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: NotRequired[int]
    cost_usd: NotRequired[Optional[float]]


class UsageTotals(TypedDict):
    """All that a run has used until now, with its sub-agents and side requests."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Optional[float]
    "As the CLI reports it; None when it reports none."
    by_model: Dict[str, ModelUsage]
    turns: int
    context_used: Optional[int]
    "Tokens of the conversation in the last request."
    context_window: Optional[int]
    "Tokens that the model can take."
    thread_total: NotRequired[Optional[Json]]
    "The `thread_total` of the spec of the next run of this session."
    side: NotRequired[Dict[str, int]]
    "Tokens of requests that are no message, such as for a title: in no transcript."
    untold: NotRequired[int]
    "Answers that were cut off, of which the CLI did not report all tokens."
    begun: NotRequired[Dict[str, int]]
    "Tokens of such answers that are in the transcript and not in these sums."
    unsaved: NotRequired[Dict[str, int]]
    "Tokens of such answers that are in these sums and not in the transcript."
    open: NotRequired[bool]
    "A turn is running: output is a lower bound. False: it was cut off and added up from the transcript."


class PlanWindow(TypedDict):
    """One window of a plan's limit."""

    window: str
    "five_hour, seven_day, seven_day_<model>, or the CLI's own name for it."
    used_percent: Optional[float]
    resets_at: NotRequired[Optional[str]]


# A run: spec.json and outcome.json in its folder


class CommitSettings(TypedDict):
    """How work that the agent left uncommitted is committed."""

    enabled: bool
    message: str
    name: str
    email: str
    "Author's name and address; empty: as git is configured on the host."


class RunSpec(TypedDict):
    """What a run is to do: `prepare_run` writes it to spec.json, `run` reads it."""

    v: int
    key: str
    "Names the run across installations."
    run: int
    task: int
    number: int
    title: str
    backend: str
    "Name of the CLI: a module of `agents`."
    model: Optional[str]
    reasoning_effort: Optional[str]
    "None: as the CLI decides."
    permission_mode: PermissionModeName
    worktree: str
    repo_git_dir: str
    "The repository's own git folder, which all its worktrees share."
    branch: str
    base_commit: str
    resume: Optional[str]
    "Session of the CLI to go on with; None begins one."
    thread_total: Optional[Json]
    "What the last run of that session left as its `thread_total`; only the CLI's module reads it."
    environment: Dict[str, str]
    setup_command: str
    setup_marker: str
    "File whose presence says that the setup command ran in this worktree."
    copied: List[str]
    "Files that were copied into the worktree, and so are never committed."
    commit: CommitSettings
    path: NotRequired[str]
    "PATH for everything that the run starts; `prepare_run` adds it."
    stall_seconds: NotRequired[float]
    "How long the CLI may retry without any progress."


class ShellSpec(TypedDict):
    """spec.json of a folder in which only shells are opened."""

    worktree: str
    environment: Dict[str, str]


class CheckSpec(TypedDict):
    """spec.json of a check: one shell command."""

    v: int
    command: str
    worktree: str
    environment: Dict[str, str]
    path: NotRequired[str]


class DiffSize(TypedDict):
    """Size of what a branch changes against its base."""

    files: int
    additions: int
    deletions: int


class RunResult(TypedDict):
    """result.json, by which the runner tells its guard how it ended."""

    state: EndState
    reason_code: str
    reason: str
    resets_at: Optional[str]
    cli_session: Optional[str]
    usage: Optional[UsageTotals]
    thread_total: Optional[Json]


class RunOutcome(TypedDict):
    """outcome.json: how a run ended. The last file that is written."""

    v: NotRequired[int]
    key: NotRequired[Optional[str]]
    state: str
    "An EndState, or `lost` by the server alone: the host has nothing of the run any more."
    reason_code: NotRequired[str]
    "For programs; empty when all went well."
    reason: NotRequired[str]
    resets_at: NotRequired[Optional[str]]
    "When a limit that ended the run is reset."
    finished_at: NotRequired[str]
    last_seq: NotRequired[int]
    cli_session: NotRequired[Optional[str]]
    usage: NotRequired[Optional[UsageTotals]]
    thread_total: NotRequired[Optional[Json]]
    commit: NotRequired[Optional[str]]
    "Head of the branch where it is ahead of its base."
    committed: NotRequired[bool]
    "Whether hostkit committed what the agent had left."
    diff: NotRequired[Optional[DiffSize]]
    ended_by: NotRequired[Literal["runner", "guard", "serve"]]
    swept: NotRequired[int]
    "Processes that the run left and that were ended."


class CheckOutcome(TypedDict):
    """outcome.json of a check."""

    status: int
    "Exit status of the command; 127 when it could not be started, for the reason in `error`."
    seconds: float
    interrupted: bool
    error: NotRequired[str]
    swept: NotRequired[int]


# Events: one a line in events.jsonl


class EventHead(TypedDict):
    """What the journal puts in front of each event."""

    v: NotRequired[int]
    seq: NotRequired[int]
    "From 1 without gaps."
    at: NotRequired[str]
    cut: NotRequired[int]
    "Characters of the longest text of the event, when it had to be shortened."


class StartedEvent(EventHead):
    """The CLI has begun a session, or goes on with one."""

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
    """The agent says something."""

    kind: Literal["text"]
    text: str
    parent: NotRequired[Optional[str]]
    "What started the sub-agent that speaks, by id; none: the agent itself. So in other events."


class ThinkingEvent(EventHead):
    kind: Literal["thinking"]
    text: str
    parent: NotRequired[Optional[str]]


class ToolEvent(EventHead):
    """A tool is called; `tool_result` with the same id follows."""

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
    """The tool with this id has changed a file."""

    kind: Literal["file_change"]
    id: str
    path: str
    "From the worktree, where it is inside."
    change: str
    "add, update, delete, or a further word of the CLI."
    diff: str


class QuestionOption(TypedDict):
    label: str
    description: NotRequired[Optional[str]]


class Question(TypedDict):
    id: str
    question: str
    header: NotRequired[Optional[str]]
    multiple: NotRequired[bool]
    "Whether several options may be chosen."
    options: NotRequired[List[QuestionOption]]


class RequestEvent(EventHead):
    """The agent waits for the user: an approval, answers to questions, or a verdict on a plan."""

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
    questions: NotRequired[List[Question]]
    plan: NotRequired[str]


class RequestClosedEvent(EventHead):
    kind: Literal["request_closed"]
    id: str
    decision: str
    "allow, allow_for_run, deny or withdrawn."
    by: str
    "web, keyboard, agent or mode (the permission mode)."
    text: NotRequired[Optional[str]]


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
    """How full the plan is, when that changes."""

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
    """Something the user should know, and nothing wrong."""

    kind: Literal["notice"]
    text: str


class SettingsEvent(EventHead):
    """What applies from the next turn on; only what changes."""

    kind: Literal["settings"]
    by: str
    model: NotRequired[Optional[str]]
    reasoning_effort: NotRequired[Optional[str]]
    permission_mode: NotRequired[Optional[str]]


class ErrorEvent(EventHead):
    """A request to the model failed, or the run."""

    kind: Literal["error"]
    text: str
    code: str
    "connection, login, limit, model, rejected, server, setup or other."
    http_status: NotRequired[Optional[int]]
    retrying: bool
    "The CLI tries again by itself."
    resets_at: NotRequired[Optional[str]]


class RawEvent(EventHead):
    """A line that hostkit does not understand: the CLI's, or one of the events that is broken."""

    kind: Literal["raw"]
    line: object


class FinishedEvent(EventHead):
    """The last event of a run; the same as its outcome."""

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
    SettingsEvent,
    ErrorEvent,
    RawEvent,
    FinishedEvent,
]


# Commands to the runner of a live run, through the verb `control` or from the pane's keyboard


class CommandHead(TypedDict):
    id: NotRequired[str]
    "A command that is sent again with the same id is carried out once."
    by: NotRequired[str]


class MessageCommand(CommandHead):
    command: Literal["message"]
    text: str
    when: NotRequired[str]
    "now: as soon as the CLI can take it; after_turn: in a turn of its own."


class WithdrawCommand(TypedDict):
    """Take back a message that the agent has not taken."""

    command: Literal["withdraw"]
    id: str
    "That of the message."


class InterruptCommand(CommandHead):
    command: Literal["interrupt"]


class ApproveCommand(CommandHead):
    command: Literal["approve"]
    request: str
    scope: NotRequired[Optional[str]]
    "run: do not ask for this again in this run."
    input: NotRequired[Optional[Json]]
    "In place of the tool's own input."
    mode: NotRequired[Optional[str]]
    "The permission mode from now on."


class DenyCommand(CommandHead):
    command: Literal["deny"]
    request: str
    text: NotRequired[Optional[str]]
    interrupt: NotRequired[Optional[bool]]
    "End the turn, too."


class AnswerCommand(CommandHead):
    command: Literal["answer"]
    request: str
    answers: Dict[str, Union[str, List[str]]]
    "By the ids of the questions."


class SetModelCommand(CommandHead):
    command: Literal["set_model"]
    model: NotRequired[Optional[str]]
    reasoning_effort: NotRequired[Optional[str]]


class SetModeCommand(CommandHead):
    command: Literal["set_mode"]
    permission_mode: str


class StopCommand(CommandHead):
    """End the run."""

    command: Literal["stop"]
    reason: NotRequired[str]


class StatusCommand(CommandHead):
    command: Literal["status"]


RunCommand = Union[
    MessageCommand,
    WithdrawCommand,
    InterruptCommand,
    ApproveCommand,
    DenyCommand,
    AnswerCommand,
    SetModelCommand,
    SetModeCommand,
    StopCommand,
    StatusCommand,
]


class CommandAnswer(TypedDict):
    """What the runner answers to a command."""

    ok: bool
    error: NotRequired[str]
    later: NotRequired[bool]
    "Refused for now only: the same command may be accepted in a moment."
    id: NotRequired[str]
    "That of a message which was accepted."


class RunStatus(CommandAnswer):
    """What it answers to `status`."""

    state: str
    cli_session: Optional[str]
    permission_mode: str
    requests: List[RequestEvent]
    last_seq: int
    pid: Optional[int]


# Verbs of `serve`: what each takes (Params) and answers


class ExecParams(TypedDict):
    argv: List[str]
    cwd: NotRequired[str]
    env: NotRequired[Dict[str, str]]
    stdin: NotRequired[str]
    timeout: NotRequired[float]
    "Seconds; 30 by default."
    max_output: NotRequired[int]
    "Bytes that are kept of each output; 4 MiB by default."
    stdout_path: NotRequired[str]
    "File that gets the standard output."


class Executed(TypedDict):
    rc: int
    out: str
    err: str
    truncated: bool


class PathParams(TypedDict):
    path: str


class FileStat(TypedDict):
    exists: bool
    is_dir: bool
    size: int
    mtime: float


class ReadParams(TypedDict):
    path: str
    offset: NotRequired[int]
    limit: NotRequired[int]
    "Bytes; 16 MiB by default."


class FileText(TypedDict):
    data: str
    size: int
    "Bytes of the whole file."


class WriteParams(TypedDict):
    path: str
    data: str
    mode: NotRequired[int]
    "Permissions; 0600 by default."
    exclusive: NotRequired[bool]
    "Fail with `exists` when the file is there."


class Nothing(TypedDict):
    """The answer that all went well."""


class CopyParams(TypedDict):
    source: str
    target: str
    patterns: List[str]
    "Globs below the source."


class SkippedFile(TypedDict):
    path: str
    why: str


class CopiedFiles(TypedDict):
    copied: List[str]
    skipped: List[SkippedFile]


class DirParams(TypedDict):
    dir: str
    "Folder of a run or of a check."


class PrepareParams(DirParams):
    spec: Union[RunSpec, CheckSpec]
    prompt: str


class Prepared(TypedDict):
    started: NotRequired[bool]
    "It was started before: nothing was written."


class RunState(TypedDict):
    exists: bool
    started: bool
    "A guard has claimed the folder."
    alive: bool
    finished: bool
    outcome: Optional[Json]
    "outcome.json, as it is."
    last_seq: int


class ControlParams(DirParams):
    command: Union[RunCommand, Json]


class CancelParams(DirParams):
    reason: NotRequired[str]


class CancelledRun(TypedDict):
    outcome: Optional[Json]
    "None before a run has started."


class TailParams(TypedDict):
    runs: Dict[str, int]
    "Folders, each with the offset in its events.jsonl to begin at."


class TailChangeParams(TypedDict):
    add: Dict[str, int]
    remove: List[str]


class TailItem(TypedDict):
    """One item of the stream `tail`: about the run in `dir` it has `lines`, or one of the last three."""

    dir: str
    lines: NotRequired[List[object]]
    "Events from byte `start` to byte `offset`, as the file has them."
    start: NotRequired[int]
    offset: NotRequired[int]
    outcome: NotRequired[Json]
    gone: NotRequired[str]
    "The guard is dead and left no outcome."
    missing: NotRequired[bool]
    "There is no such folder."


class EnvironmentParams(TypedDict):
    environment: Dict[str, str]
    "Variables of the workspace."


class LoginState(TypedDict):
    logged_in: Optional[bool]
    "None when the CLI does not say."
    detail: str


class ProbedCli(LoginState):
    path: Optional[str]
    version: Optional[str]


class ModelsParams(EnvironmentParams):
    known: Dict[str, str]
    "Fingerprints of answers that are still good, by CLI."


class Effort(TypedDict):
    """One level of reasoning, as the CLI calls it."""

    id: str
    description: str


class OfferedModel(TypedDict):
    """One model as a CLI offers it."""

    id: str
    name: str
    description: str
    is_default: bool
    reasoning_efforts: List[Effort]
    default_reasoning_effort: Optional[str]
    resolves_to: Optional[str]
    "What an alias stands for just now."


class ModelOffer(TypedDict):
    """What a CLI says to the question for its models."""

    models: List[OfferedModel]
    account: str
    "Kind of account; empty when it does not say."
    logged_in: Optional[bool]
    version: NotRequired[Optional[str]]


class ModelsAnswer(TypedDict):
    path: Optional[str]
    version: Optional[str]
    account: str
    logged_in: Optional[bool]
    models: List[OfferedModel]
    error: Optional[str]
    fingerprint: NotRequired[str]
    "Of the program and its login."
    unchanged: NotRequired[bool]
    "The fingerprint is the known one: the CLI was not asked."
    seconds: NotRequired[float]


class PlanLimits(TypedDict):
    """What a CLI says to the question for its limits."""

    account: str
    windows: List[PlanWindow]


class LimitsAnswer(PlanLimits):
    path: Optional[str]
    way: Literal["asked", "screen"]
    has_plan: bool
    error: Optional[str]


class TranscriptsParams(EnvironmentParams):
    since: float


class SessionTokens(TypedDict):
    """What a CLI's transcript says of one session."""

    cwd: str
    tokens: Dict[str, int]
    "By TOKEN_KINDS."
    parent: NotRequired[str]
    "The session that has spawned it; empty for a user's own."


class DoctorParams(EnvironmentParams):
    repo_path: str


class ProgramFound(TypedDict):
    path: Optional[str]
    version: Optional[str]


class DiskSpace(TypedDict):
    path: str
    free_bytes: int
    total_bytes: int


class SshdFacts(TypedDict):
    max_sessions: Optional[int]
    "None when it is not set, or can't be read."


class HostFacts(TypedDict):
    python: str
    git: ProgramFound
    tmux: ProgramFound
    disk: DiskSpace
    time: float
    sshd: SshdFacts
    shell: str
    path: str
    user: str
    uid: int


class ScrollbackParams(TypedDict):
    folders: List[str]
    limit: int
    "Bytes; 0: which records there are, without their text."


class ScrollbackPart(TypedDict):
    folder: str
    name: str
    mtime: float
    data: str


class Scrollback(TypedDict):
    parts: List[ScrollbackPart]
    "The newest first."


class FolderParams(TypedDict):
    folder: str


class FoldedScrollback(TypedDict):
    shown: int
    "Bytes that the next shell will print above its prompt."
