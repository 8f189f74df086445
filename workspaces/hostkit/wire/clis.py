"""Verbs of `serve` about CLIs: what they offer, what they have used, and whether they work."""

from __future__ import annotations

import sys
from typing import Dict, List, Literal, Optional, TypedDict

from .tokens import ModelUsage, PlanWindow

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


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
