"""A run: spec.json and outcome.json in its folder."""

from __future__ import annotations

import sys
from typing import Dict, List, Literal, Optional, TypedDict

from .attachments import AttachedFile
from .base import EndState, Json, PermissionModeName
from .progress import ProgressItem
from .tokens import UsageTotals

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


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


class ForkPoint(TypedDict):
    """A place in the conversation of a session, up to which a new session continues it."""

    anchor: str
    "The `anchor` of an event: a line of Claude Code, or a turn of Codex."
    before: bool
    "Whether the place is before it; else it is included."


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
    max_permission_mode: NotRequired[PermissionModeName]
    "The widest mode that may be chosen at the pane's keyboard. The app checks its own commands itself."
    mode_after_plan: NotRequired[PermissionModeName]
    "The mode into which a plan is approved unless the user picks another one."
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
    fork: NotRequired[Optional[ForkPoint]]
    "The session is not resumed but forked here: it stays as it is, and the run gets a new session."
    thread_total: Optional[Json]
    "The `thread_total` of the last run of that session. Only the CLI's module reads it."
    progress: NotRequired[List[ProgressItem]]
    "The agent's own list, as the run that it resumes has left it."
    attachments: NotRequired[List[AttachedFile]]
    "What the user has given with the prompt."
    attachments_folder: NotRequired[str]
    "The folder of all files of the task, which the agent may read without asking. It need not exist yet."
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
    replaced_seconds: NotRequired[float]
    "How long to wait for a program that is missing, because an update may be replacing it; default 0."
    kind: NotRequired[Literal["work", "plan"]]
    "A plan run only reads, and answers with tasks that it proposes; default `work`."
    trial: NotRequired[bool]
    "Whether it is only a trial turn: no tools, no transcript."


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
