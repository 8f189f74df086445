"""Verbs of `serve`: their parameters (Params) and answers."""

from __future__ import annotations

import sys
from typing import Dict, List, Literal, Optional, TypedDict, Union

from .base import Json
from .commands import RunCommand
from .runs import CheckSpec, RunSpec
from .tokens import ModelUsage, PlanWindow

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


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
    takes_pictures: NotRequired[Optional[bool]]
    "None if the CLI does not say it."


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


class CommandsParams(EnvironmentParams):
    """Which commands and skills a CLI has in a worktree, or in a commit of a repository."""

    backend: str
    path: str
    "A worktree, or the repository of the commit."
    commit: str
    "A branch or commit; empty for the files of the worktree."
    known: str
    "Fingerprint of the known answer; empty if there is none."


class OfferedCommand(TypedDict):
    """One command or skill that can be written at the start of a message."""

    name: str
    insert: str
    "What is written to use it."
    description: str
    hint: str
    "Its arguments, in the CLI's words."
    in_conversation: bool
    "Whether it makes no sense at the start of a session."


class CommandsAnswer(TypedDict):
    items: List[OfferedCommand]
    error: Optional[str]
    fingerprint: str
    "Hash of the program and of all files that define commands."
    unchanged: bool
    "The fingerprint is the known one, so the CLI was not asked."
    left_out: int
    "Number of files with commands that were not looked at: links, and those beyond the limits."


class ListFilesParams(TypedDict):
    path: str
    "A worktree, or the repository of the commit."
    commit: str
    "A branch or commit; empty for the files of the worktree."
    known: str
    "Digest of the known list; empty if there is none."


class ListedFiles(TypedDict):
    names: List[str]
    digest: str
    unchanged: bool
    "The digest is the known one, and `names` is empty."
    left_out: int
    "Number of files that are not listed: names with control characters, and those beyond the limit."


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
    starts: NotRequired[Dict[str, List[float]]]
    "By session, the times at which it is split: its tokens are then returned by part, too."


class TranscriptPart(TypedDict):
    """Tokens of one part of a session in a CLI's transcripts."""

    tokens: Dict[str, int]
    "By TOKEN_KINDS, of messages."
    by_model: Dict[str, ModelUsage]
    "The same, by model, without costs."
    totals: NotRequired[Dict[str, ModelUsage]]
    "The CLI's own totals of the session when the last process of this part ended."
    before: NotRequired[Dict[str, ModelUsage]]
    "The same before this part began. Missing if the CLI writes no totals."


class SessionTokens(TypedDict):
    """Tokens of one session in a CLI's transcripts."""

    cwd: str
    tokens: Dict[str, int]
    "By TOKEN_KINDS."
    parent: NotRequired[str]
    "The session that has spawned it. Empty for a user's own."
    parts: NotRequired[List[TranscriptPart]]
    "One for each time in `starts`: what follows it, until the next one."


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


class ProgramsParams(EnvironmentParams):
    backends: NotRequired[List[str]]
    "Default: all CLIs."
    ask_version: NotRequired[bool]
    "Start the programs to print their version; without it, only files are looked at."


class ProgramSeen(TypedDict):
    """The program of a CLI that a run would start now."""

    path: Optional[str]
    "None if it is not installed, or not on the PATH."
    real_path: str
    "The file behind symbolic links."
    fingerprint: str
    "Hash of the files that an update changes."
    version: Optional[str]
    "None if it is not known."
    problem: str
    "Why it can't be executed, as a sentence; empty if that is not known."


class TrialParams(EnvironmentParams):
    backend: str
    model: NotRequired[str]
    "Empty: the CLI's default."
    seconds: NotRequired[float]
    "How long the turn may take; default 60."
    earlier: NotRequired[str]
    "Path of the program that worked last, to compare with if the turn does not end."
    earlier_fingerprint: NotRequired[str]


TrialCode = Literal["ok", "missing", "no_start", "died", "no_beginning", "no_end", "never_idle", "failed"]


class TrialAnswer(TypedDict):
    """The result of a trial turn."""

    code: TrialCode
    reason: str
    "A sentence, or what the program did not do."
    failure: str
    "If the turn failed: the reason code that a run would have."
    version: Optional[str]
    fingerprint: str
    "Of the program that was tried."
    seconds: float
    earlier: Optional[str]
    "The code of the same turn with the earlier program; None if it was not tried."
