"""What hostkit can be asked: each verb with its parameters and its answer (`hostkit/wire/`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, overload

from workspaces.hostkit import wire

SECONDS = 30.0
"""How long an answer is waited for, unless the caller says otherwise."""


class Verbs(ABC):
    """A host, as those see it who ask it something."""

    @overload
    def call(
        self, verb: Literal["exec"], params: wire.ExecParams, *, timeout: float = SECONDS
    ) -> wire.Executed: ...

    @overload
    def call(
        self, verb: Literal["git"], params: wire.GitParams, *, timeout: float = SECONDS
    ) -> wire.Executed: ...

    @overload
    def call(
        self, verb: Literal["git_record"], params: wire.PlaceParams, *, timeout: float = SECONDS
    ) -> wire.Nothing: ...

    @overload
    def call(
        self, verb: Literal["git_place"], params: wire.PathParams, *, timeout: float = SECONDS
    ) -> wire.GitPlace: ...

    @overload
    def call(
        self, verb: Literal["agent_settings"], params: wire.PathParams, *, timeout: float = SECONDS
    ) -> wire.AgentSettings: ...

    @overload
    def call(
        self, verb: Literal["read_inside"], params: wire.InsideParams, *, timeout: float = SECONDS
    ) -> wire.FileInside: ...

    @overload
    def call(
        self, verb: Literal["read_binary"], params: wire.InsideParams, *, timeout: float = SECONDS
    ) -> wire.FileInside: ...

    @overload
    def call(
        self, verb: Literal["digests"], params: wire.NamesParams, *, timeout: float = SECONDS
    ) -> dict[str, str]: ...

    @overload
    def call(
        self, verb: Literal["submodules"], params: wire.IndexParams, *, timeout: float = SECONDS
    ) -> wire.FileNames: ...

    @overload
    def call(
        self,
        verb: Literal["special_files", "obstacles"],
        params: wire.NamesParams,
        *,
        timeout: float = SECONDS,
    ) -> wire.FileNames: ...

    @overload
    def call(
        self, verb: Literal["unseen"], params: wire.UnseenParams, *, timeout: float = SECONDS
    ) -> wire.Unseen: ...

    @overload
    def call(
        self, verb: Literal["keep_ignored"], params: wire.ArchiveParams, *, timeout: float = SECONDS
    ) -> wire.KeptFiles: ...

    @overload
    def call(
        self, verb: Literal["restore_ignored"], params: wire.ArchiveParams, *, timeout: float = SECONDS
    ) -> wire.Nothing: ...

    @overload
    def call(
        self, verb: Literal["git_changes"], params: wire.PathParams, *, timeout: float = SECONDS
    ) -> wire.GitChanges: ...

    @overload
    def call(
        self, verb: Literal["git_decide"], params: wire.DecideChangesParams, *, timeout: float = SECONDS
    ) -> wire.Nothing: ...

    @overload
    def call(
        self, verb: Literal["stat"], params: wire.PathParams, *, timeout: float = SECONDS
    ) -> wire.FileStat: ...

    @overload
    def call(
        self, verb: Literal["read"], params: wire.ReadParams, *, timeout: float = SECONDS
    ) -> wire.FileText: ...

    @overload
    def call(
        self, verb: Literal["write"], params: wire.WriteParams, *, timeout: float = SECONDS
    ) -> wire.Nothing: ...

    @overload
    def call(
        self, verb: Literal["copy"], params: wire.CopyParams, *, timeout: float = SECONDS
    ) -> wire.CopiedFiles: ...

    @overload
    def call(
        self, verb: Literal["prepare_run"], params: wire.PrepareParams, *, timeout: float = SECONDS
    ) -> wire.Prepared: ...

    @overload
    def call(
        self, verb: Literal["forgotten_runs"], params: wire.ForgottenRunsParams, *, timeout: float = SECONDS
    ) -> wire.ForgottenRuns: ...

    @overload
    def call(
        self, verb: Literal["run_state"], params: wire.DirParams, *, timeout: float = SECONDS
    ) -> wire.RunState: ...

    @overload
    def call(
        self, verb: Literal["control"], params: wire.ControlParams, *, timeout: float = SECONDS
    ) -> wire.CommandAnswer: ...

    @overload
    def call(
        self, verb: Literal["cancel"], params: wire.CancelParams, *, timeout: float = SECONDS
    ) -> wire.CancelledRun: ...

    @overload
    def call(
        self, verb: Literal["probe"], params: wire.EnvironmentParams, *, timeout: float = SECONDS
    ) -> dict[str, wire.ProbedCli]: ...

    @overload
    def call(
        self, verb: Literal["programs"], params: wire.ProgramsParams, *, timeout: float = SECONDS
    ) -> dict[str, wire.ProgramSeen]: ...

    @overload
    def call(
        self, verb: Literal["try_turn"], params: wire.TrialParams, *, timeout: float = SECONDS
    ) -> wire.TrialAnswer: ...

    @overload
    def call(
        self, verb: Literal["models"], params: wire.ModelsParams, *, timeout: float = SECONDS
    ) -> dict[str, wire.ModelsAnswer]: ...

    @overload
    def call(
        self, verb: Literal["commands"], params: wire.CommandsParams, *, timeout: float = SECONDS
    ) -> wire.CommandsAnswer: ...

    @overload
    def call(
        self, verb: Literal["list_files"], params: wire.ListFilesParams, *, timeout: float = SECONDS
    ) -> wire.ListedFiles: ...

    @overload
    def call(
        self, verb: Literal["limits"], params: wire.EnvironmentParams, *, timeout: float = SECONDS
    ) -> dict[str, wire.LimitsAnswer]: ...

    @overload
    def call(
        self, verb: Literal["transcripts"], params: wire.TranscriptsParams, *, timeout: float = SECONDS
    ) -> dict[str, dict[str, wire.SessionTokens]]: ...

    @overload
    def call(
        self, verb: Literal["doctor"], params: wire.DoctorParams, *, timeout: float = SECONDS
    ) -> wire.HostFacts: ...

    @overload
    def call(
        self, verb: Literal["read_scrollback"], params: wire.ScrollbackParams, *, timeout: float = SECONDS
    ) -> wire.Scrollback: ...

    @overload
    def call(
        self, verb: Literal["fold_scrollback"], params: wire.FolderParams, *, timeout: float = SECONDS
    ) -> wire.FoldedScrollback: ...

    @overload
    def call(
        self, verb: Literal["recover_tmux"], params: wire.NoParams, *, timeout: float = SECONDS
    ) -> wire.RecoveredTmux: ...

    @overload
    def call(
        self, verb: Literal["find_repositories"], params: wire.FindParams, *, timeout: float = SECONDS
    ) -> wire.FoundRepositories: ...

    @overload
    def call(
        self, verb: Literal["list_folder"], params: wire.PathParams, *, timeout: float = SECONDS
    ) -> wire.FolderContent: ...

    @overload
    def call(
        self, verb: Literal["read_files"], params: wire.FilesParams, *, timeout: float = SECONDS
    ) -> wire.FilesInside: ...

    @overload
    def call(
        self, verb: Literal["start_clone"], params: wire.CloneParams, *, timeout: float = SECONDS
    ) -> wire.StartedClone: ...

    @overload
    def call(
        self, verb: Literal["clone_state"], params: wire.CloneId, *, timeout: float = SECONDS
    ) -> wire.CloneState: ...

    @overload
    def call(
        self, verb: Literal["ports"], params: wire.PortsParams, *, timeout: float = SECONDS
    ) -> wire.OpenPorts: ...

    @overload
    def call(
        self, verb: Literal["spotlight_show"], params: wire.SpotlightParams, *, timeout: float = SECONDS
    ) -> wire.SpotlightAnswer: ...

    @overload
    def call(
        self,
        verb: Literal["spotlight_back", "spotlight_state"],
        params: wire.PathParams,
        *,
        timeout: float = SECONDS,
    ) -> wire.SpotlightAnswer: ...

    @overload
    def call(
        self, verb: Literal["upload_begin"], params: wire.UploadParams, *, timeout: float = SECONDS
    ) -> wire.UploadBegun: ...

    @overload
    def call(
        self, verb: Literal["upload_end"], params: wire.UploadParams, *, timeout: float = SECONDS
    ) -> wire.UploadEnded: ...

    @overload
    def call(
        self, verb: Literal["blank_transcripts"], params: wire.BlankParams, *, timeout: float = SECONDS
    ) -> wire.Nothing: ...

    @overload
    def call(
        self, verb: Literal["remove_folders"], params: wire.LeftFoldersParams, *, timeout: float = SECONDS
    ) -> wire.Nothing: ...

    def call(self, verb: str, params: Mapping[str, Any], *, timeout: float = SECONDS) -> Any:
        """Ask hostkit for `verb`. Raises HostError; `timeout` in seconds covers connecting, too."""
        return self.ask(verb, params, timeout)

    @abstractmethod
    def ask(self, verb: str, params: Mapping[str, Any], timeout: float) -> Any:
        """The same, for any verb."""
