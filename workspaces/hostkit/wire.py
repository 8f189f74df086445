"""The JSON that the app and hostkit exchange, and the files that hostkit writes on the host.

Both sides import this file. Hosts may run Python 3.8, where annotations are never evaluated, and subcommands
that must start quickly import it only for type checking.

Times are ISO 8601 in UTC if they are text, seconds since 1970 if they are numbers. Text of files and programs
may contain surrogates for bytes that are not UTF-8. Data that an agent could have written is not trusted: the
app checks it (`workspaces/hosts/untrusted.py`) before it is used as one of these types.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Literal, Optional, Tuple, TypedDict, Union

if sys.version_info >= (3, 11):  # not needed in earlier versions: see above
    from typing import NotRequired

Json = Dict[str, Any]
"""An object whose structure a CLI, a model or a tool defines."""
PermissionModeName = Literal["ask", "edits", "full"]
RequestKind = Literal["approval", "question", "plan"]
EndState = Literal["succeeded", "failed", "cancelled", "lost"]
FailureKind = Literal["not_found", "permission", "timeout", "exists", "bad_request", "failed"]
PROTOCOL = 1
"""Version of the request protocol, of spec.json and of the events."""
WINDOW_LOST = "window_lost"
"""`code` of the notice that a live run has no window, because its tmux server has ended."""
PERMISSION_MODES: Tuple[PermissionModeName, ...] = ("ask", "edits", "full")
"""Ask before changes; edit files, but ask before commands; do everything without asking."""
MAX_OUTSIDE_PATHS = 50
"""Maximum number of paths in one `outside` event."""
TOKEN_KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
"""Input excludes cache reads and writes. Output includes reasoning."""


# The connection


class Hello(TypedDict):
    """The first line of `serve`, as {"hello": …}."""

    protocol: int
    hostkit: str
    "File name of the zipapp, which contains a hash of its content."
    python: str
    executable: str
    "Path of the Python that runs it."
    user: str
    uid: int
    hostname: str
    home: str
    state_dir: str
    "Folder of all hostkit state on this host."
    tmux_socket: str
    "Where the app's own tmux server listens."
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
    """Tokens of one model in a run, as far as the CLI reports them."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: NotRequired[int]
    cost_usd: NotRequired[Optional[float]]


class UsageTotals(TypedDict):
    """Tokens that a run has used so far, including sub-agents and side requests."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Optional[float]
    "As reported by the CLI, or None."
    by_model: Dict[str, ModelUsage]
    turns: int
    context_used: Optional[int]
    "Size of the conversation in the last request, in tokens."
    context_window: Optional[int]
    "Size of the model's context window, in tokens."
    thread_total: NotRequired[Optional[Json]]
    "Passed on as `thread_total` in the spec of the next run of this session."
    side: NotRequired[Dict[str, int]]
    "Tokens of requests that are not messages, for example for a title. They are in no transcript."
    untold: NotRequired[int]
    "Number of interrupted answers whose tokens the CLI has not fully reported."
    begun: NotRequired[Dict[str, int]]
    "Tokens of such answers that are in the transcript, but not in these totals."
    unsaved: NotRequired[Dict[str, int]]
    "Tokens of such answers that are in these totals, but not in the transcript."
    open: NotRequired[bool]
    "True: a turn is running, output is a lower bound. False: it was interrupted; totals from the transcript."


class PlanWindow(TypedDict):
    """One time window of a plan limit."""

    window: str
    "five_hour, seven_day, seven_day_<model>, or the CLI's own name for it."
    used_percent: Optional[float]
    resets_at: NotRequired[Optional[str]]


# A run: spec.json and outcome.json in its folder


class CommitSettings(TypedDict):
    """How uncommitted work is committed at the end of a run."""

    enabled: bool
    message: str
    name: str
    email: str
    "Name and email of the author. Empty: from the host's git config."


class RunOrigin(TypedDict):
    """What a host keeps of a run's rows, to make them again after an older database was restored."""

    task_mark: str
    task_prompt: str
    workspace: int
    repo_path: str
    "The repository, as the workspace has it."
    asked_by: str
    "Name of the user who queued the run; empty if nobody did."
    queued_at: str


class RunSpec(TypedDict):
    """Description of a run: `prepare_run` writes it to spec.json, `run` reads it."""

    v: int
    key: str
    "Identifies the run across installations."
    mark: NotRequired[str]
    "Random, so that no other run has it, even one whose number a restored database has given again."
    origin: NotRequired[RunOrigin]
    run: int
    task: int
    number: int
    title: str
    backend: str
    "Name of the CLI, which is the name of its module in `agents`."
    model: Optional[str]
    reasoning_effort: Optional[str]
    "None: the CLI's default."
    permission_mode: PermissionModeName
    worktree: str
    repo_git_dir: str
    "The repository's git folder, which all its worktrees share."
    git_dir: str
    "The worktree's own git folder."
    temporary: str
    "Folder for temporary files of the CLI. It is created when it is needed."
    repo: NotRequired[str]
    "Top folder of the repository's worktree that the workspace names. Changes there are reported."
    branch: str
    base_commit: str
    resume: Optional[str]
    "CLI session to resume. None starts a new one."
    thread_total: Optional[Json]
    "The `thread_total` of the last run of that session. Only the CLI's module reads it."
    environment: Dict[str, str]
    setup_command: str
    setup_marker: str
    "File that exists if the setup command has run in this worktree."
    copied: List[str]
    "Files that were copied into the worktree. They are not committed."
    notices: NotRequired[List[str]]
    "Warnings about the worktree, which the runner reports."
    commit: CommitSettings
    ssh_agent: NotRequired[bool]
    "Whether programs of the run may use the login's ssh agent."
    unreadable: NotRequired[List[str]]
    "Folders that a sandboxed agent must not be able to read. Only Codex has a sandbox."
    path: NotRequired[str]
    "PATH for all programs of the run. `prepare_run` adds it."
    stall_seconds: NotRequired[float]
    "How long the CLI may retry without progress."


class ShellSpec(TypedDict):
    """spec.json of a folder that is used only for shells."""

    worktree: str
    environment: Dict[str, str]


class CheckSpec(TypedDict):
    """spec.json of a check: one shell command."""

    v: int
    command: str
    worktree: str
    environment: Dict[str, str]
    ssh_agent: NotRequired[bool]
    path: NotRequired[str]


class DiffSize(TypedDict):
    """Size of a branch's changes since its base."""

    files: int
    additions: int
    deletions: int


class RunResult(TypedDict):
    """result.json, in which the runner reports to its guard how the run ended."""

    state: EndState
    reason_code: str
    reason: str
    resets_at: Optional[str]
    cli_session: Optional[str]
    usage: Optional[UsageTotals]
    thread_total: Optional[Json]


class RunOutcome(TypedDict):
    """outcome.json: how a run ended. It is written last."""

    v: NotRequired[int]
    key: NotRequired[Optional[str]]
    state: str
    "An EndState. `lost` means that nobody saw its end: its guard and its runner died, or its folder is gone."
    reason_code: NotRequired[str]
    "For programs. Empty if the run succeeded."
    reason: NotRequired[str]
    resets_at: NotRequired[Optional[str]]
    "When the limit that ended the run resets."
    finished_at: NotRequired[str]
    last_seq: NotRequired[int]
    cli_session: NotRequired[Optional[str]]
    usage: NotRequired[Optional[UsageTotals]]
    thread_total: NotRequired[Optional[Json]]
    commit: NotRequired[Optional[str]]
    "Head of the branch, if it is ahead of its base."
    committed: NotRequired[bool]
    "Whether hostkit committed uncommitted work."
    diff: NotRequired[Optional[DiffSize]]
    left_out: NotRequired[List[str]]
    "Work that is in no commit, as sentences."
    ended_by: NotRequired[Literal["runner", "guard", "serve"]]
    swept: NotRequired[int]
    "Number of leftover processes that were killed."


class CheckOutcome(TypedDict):
    """outcome.json of a check."""

    status: int
    "Exit status of the command; 127 if it could not be started, with the reason in `error`."
    seconds: float
    interrupted: bool
    error: NotRequired[str]
    swept: NotRequired[int]


# Events: one per line in events.jsonl


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


class RequestClosedEvent(EventHead):
    kind: Literal["request_closed"]
    id: str
    decision: str
    "allow, allow_for_run, deny or withdrawn."
    by: str
    "web, keyboard, agent or mode (the permission mode)."
    text: NotRequired[Optional[str]]
    "The message of a denial, or the grant that was picked."


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


# Commands to the runner of a live run, through the verb `control` or from the pane's keyboard


class CommandHead(TypedDict):
    id: NotRequired[str]
    "A command that is repeated with the same id is executed once."
    by: NotRequired[str]


class MessageCommand(CommandHead):
    command: Literal["message"]
    text: str
    when: NotRequired[str]
    "now: as soon as the CLI accepts it; after_turn: in a separate turn."


class WithdrawCommand(TypedDict):
    """Withdraw a message that the agent has not taken."""

    command: Literal["withdraw"]
    id: str
    "Id of the message."


class InterruptCommand(CommandHead):
    command: Literal["interrupt"]


class ApproveCommand(CommandHead):
    command: Literal["approve"]
    request: str
    scope: NotRequired[Optional[str]]
    "`run`: do not ask for this very call again in this run."
    grant: NotRequired[Optional[str]]
    "Id of one of the request's grants, which the CLI gets for the rest of the run."
    digest: NotRequired[Optional[str]]
    "Digest of the request that was shown. The command is refused if it is not the request's."
    input: NotRequired[Optional[Json]]
    "Replaces the tool's input."
    mode: NotRequired[Optional[str]]
    "The permission mode from now on."


class DenyCommand(CommandHead):
    command: Literal["deny"]
    request: str
    text: NotRequired[Optional[str]]
    interrupt: NotRequired[Optional[bool]]
    "Also end the turn."


class AnswerCommand(CommandHead):
    command: Literal["answer"]
    request: str
    answers: Dict[str, Union[str, List[str]]]
    "By question id."


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


class KeyboardCommand(CommandHead):
    """A line that was typed in the window that has joined the run."""

    command: Literal["keyboard"]
    line: str


class WindowCommand(CommandHead):
    """A person has closed the run's window, or its tmux server has ended."""

    command: Literal["hang_up", "window_lost"]


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
    KeyboardCommand,
    WindowCommand,
]


class CommandAnswer(TypedDict):
    """The runner's answer to a command."""

    ok: bool
    error: NotRequired[str]
    later: NotRequired[bool]
    "Refused only for now: the command can be sent again later."
    id: NotRequired[str]
    "Id of an accepted message."


class RunStatus(CommandAnswer):
    """The runner's answer to `status`."""

    state: str
    cli_session: Optional[str]
    permission_mode: str
    requests: List[RequestEvent]
    last_seq: int
    pid: Optional[int]


# Verbs of `serve`: their parameters (Params) and answers


class NoParams(TypedDict):
    """A verb without parameters."""


class ExecParams(TypedDict):
    argv: List[str]
    cwd: NotRequired[str]
    env: NotRequired[Dict[str, str]]
    stdin: NotRequired[str]
    timeout: NotRequired[float]
    "Seconds; default 30."
    max_output: NotRequired[int]
    "Limit for each of stdout and stderr in bytes; default 4 MiB."
    stdout_path: NotRequired[str]
    "File to write the standard output to."


class GitParams(TypedDict):
    """A git command of the app's own. The other fields are those of `exec`."""

    path: str
    "The worktree or repository, or a folder in it."
    args: List[str]
    hooks: NotRequired[bool]
    "Whether trusted hooks run, and drivers whose program lies in the worktree; default false."
    prefix: NotRequired[List[str]]
    "A command that runs git, with its arguments."
    env: NotRequired[Dict[str, str]]
    stdin: NotRequired[str]
    timeout: NotRequired[float]
    max_output: NotRequired[int]
    stdout_path: NotRequired[str]


class PlaceParams(TypedDict):
    """A worktree and its git folders, as absolute paths."""

    path: str
    git_dir: str
    common_dir: str
    "The git folder that all worktrees of the repository share."


class GitPlace(TypedDict):
    """The worktree that contains a path; empty texts if there is none."""

    top: str
    "Its top folder; empty for a repository without a worktree."
    git_dir: str
    common_dir: str
    main: str
    "The main worktree of the repository; the git folder if it is bare."
    trusted: str
    "The trusted folder, which git takes for the main worktree."


class ChangedSetting(TypedDict):
    """A key of a repository's configuration, with its trusted and its present values."""

    key: str
    trusted: List[str]
    present: List[str]


class ChangedHook(TypedDict):
    """A hook that is new, changed or removed, with the first 256 KiB of both versions."""

    name: str
    trusted: Optional[str]
    present: Optional[str]


class GitChanges(TypedDict):
    """What a repository's configuration and hooks have that is not trusted."""

    settings: List[ChangedSetting]
    hooks: List[ChangedHook]
    digest: str
    "Identifies the present state."
    declined: bool
    "Whether a person has decided not to use it."


class AgentSettingsFile(TypedDict):
    """The start of a file, or what a link points to."""

    name: str
    data: str
    size: int


class AgentSettings(TypedDict):
    """Settings in a worktree by which agent CLIs run programs or allow tools without asking."""

    files: List[AgentSettingsFile]
    digest: str
    "Of their names and content; empty if there are none."


class DecideChangesParams(TypedDict):
    path: str
    digest: str
    use: bool
    "Whether the app's git uses the present state from now on."


class Executed(TypedDict):
    rc: int
    out: str
    err: str
    truncated: bool


class InsideParams(TypedDict):
    """A file by its name in a folder, for example in a worktree. Links are not followed."""

    folder: str
    name: str
    limit: NotRequired[int]
    "Bytes to read; default 16 MiB."


class FileInside(TypedDict):
    """The start of a file. The text of a link is what it points to; pipes and devices have none."""

    exists: bool
    "Whether it is a file or a link."
    data: str
    size: int


class IndexParams(TypedDict):
    path: str
    "A worktree."
    index: str
    "Path of an index file; empty for the worktree's own."


class NamesParams(TypedDict):
    """Files by their names in a folder."""

    folder: str
    names: List[str]


class FileNames(TypedDict):
    names: List[str]


class UnseenParams(TypedDict):
    path: str
    "A worktree."
    untracked: List[str]
    "Its untracked files that are not folders."
    ignored: bool
    "Whether to list ignored files, too."


class Unseen(TypedDict):
    """Work that `git status` does not show."""

    hidden: List[str]
    "Changed files that are marked as assume-unchanged or skip-worktree."
    links: List[str]
    "Untracked links to folders that git would ignore if they were folders."
    ignored: List[str]
    "Ignored files, and folders with a `/` at the end, without what tools create again."


class ArchiveParams(TypedDict):
    path: str
    "A worktree."
    original: str
    "The main checkout, whose files need not be kept; empty if there is none."
    archive: str
    "Path of the archive."


class KeptFiles(TypedDict):
    kept: int
    "Number of files in the archive. There is no archive without files."
    too_large: List[str]
    "Ignored files and folders that are not kept because of their size."


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
    "Bytes; default 16 MiB."


class FileText(TypedDict):
    data: str
    size: int
    "Size of the whole file in bytes."


class WriteParams(TypedDict):
    path: str
    data: str
    mode: NotRequired[int]
    "Permissions; default 0600."
    exclusive: NotRequired[bool]
    "Fail with `exists` if the file exists."


class Nothing(TypedDict):
    """An empty answer."""


class CopyParams(TypedDict):
    source: str
    target: str
    patterns: List[str]
    "Globs relative to the source."


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
    "True: the run was started before, and nothing was written."


class ForgottenRunsParams(TypedDict):
    installation: str
    known: List[str]
    "Marks of the runs that the database knows."


class ForgottenRun(TypedDict):
    """A run that the database does not know."""

    dir: str
    spec: Json
    "Its `RunSpec` without variables. An agent could have written it."
    prompt: str


class ForgottenRuns(TypedDict):
    runs: List[ForgottenRun]
    more: bool
    "Whether there are more."


class RunState(TypedDict):
    exists: bool
    started: bool
    "A guard has claimed the folder."
    alive: bool
    finished: bool
    outcome: Optional[Json]
    "Content of outcome.json."
    last_seq: int


class ControlParams(DirParams):
    command: Union[RunCommand, Json]


class CancelParams(DirParams):
    reason: NotRequired[str]
    patience: NotRequired[float]
    "Seconds to wait for the end; default: until there is one."


class CancelledRun(TypedDict):
    outcome: Optional[Json]
    "None if the run has not started, or is still ending."
    ending: bool
    "Whether it is still ending. The same request asks again, and goes on where this one has stopped."


class TailParams(TypedDict):
    runs: Dict[str, int]
    "Folders, each with the offset in its events.jsonl to start from."


class TailChangeParams(TypedDict):
    add: Dict[str, int]
    remove: List[str]


class TailItem(TypedDict):
    """One item of the stream `tail` for the run in `dir`: `lines`, or one of the last three fields."""

    dir: str
    lines: NotRequired[List[object]]
    "Events from byte `start` to byte `offset` of the file."
    start: NotRequired[int]
    offset: NotRequired[int]
    outcome: NotRequired[Json]
    gone: NotRequired[str]
    "The guard died without an outcome."
    missing: NotRequired[bool]
    "The folder does not exist."


class EnvironmentParams(TypedDict):
    environment: Dict[str, str]
    "Environment variables of the workspace."


class LoginState(TypedDict):
    logged_in: Optional[bool]
    "None if the CLI does not report it."
    detail: str


class ProbedCli(LoginState):
    path: Optional[str]
    version: Optional[str]


class ModelsParams(EnvironmentParams):
    known: Dict[str, str]
    "Fingerprints of the known answers, by CLI."


class Effort(TypedDict):
    """One reasoning effort, with the CLI's own id."""

    id: str
    description: str


class OfferedModel(TypedDict):
    """One model that a CLI offers."""

    id: str
    name: str
    description: str
    is_default: bool
    reasoning_efforts: List[Effort]
    default_reasoning_effort: Optional[str]
    resolves_to: Optional[str]
    "The model that an alias currently refers to."


class ModelOffer(TypedDict):
    """A CLI's answer to the query for its models."""

    models: List[OfferedModel]
    account: str
    "Kind of account. Empty if the CLI does not report it."
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
    "Hash of the program and its login."
    unchanged: NotRequired[bool]
    "The fingerprint is the known one, so the CLI was not queried."
    seconds: NotRequired[float]


class PlanLimits(TypedDict):
    """A CLI's answer to the query for its plan limits."""

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
    """Tokens of one session in a CLI's transcripts."""

    cwd: str
    tokens: Dict[str, int]
    "By TOKEN_KINDS."
    parent: NotRequired[str]
    "The session that has spawned it. Empty for a user's own."


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
    "None if it is not set or can't be read."


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
    ends_with_login: bool
    "Whether the system ends all programs of this user at the last log-out."


class ScrollbackParams(TypedDict):
    folders: List[str]
    limit: int
    "Bytes. 0: list the records without their text."


class ScrollbackPart(TypedDict):
    folder: str
    name: str
    mtime: float
    data: str


class Scrollback(TypedDict):
    parts: List[ScrollbackPart]
    "Newest first."


class RecoveredTmux(TypedDict):
    recovered: bool
    "Whether a running tmux server of the app had lost its socket, and has it again."


class FolderParams(TypedDict):
    folder: str


class FoldedScrollback(TypedDict):
    shown: int
    "Size of the text that the next shell prints above its prompt, in bytes."
