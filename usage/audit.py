"""Compares recorded usage with the CLIs' own transcripts on the host, session by session.

Also finds sessions that were not started by this app.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from django.utils import timezone

from tasks.models import Run
from usage.mending import Correction, Unjudged, in_order, judge, mend, recorded_of, starts_of, usage_of
from usage.models import TOKENS, Audit, UsageByModel
from workspaces import clis, hosts
from workspaces.hostkit import wire
from workspaces.models import Workspace

CALL_SECONDS = 120.0
KEPT = timedelta(days=28)
"Claude Code removes transcripts after thirty days."

FOREIGN = "A session of another owner's workspace differs. An administrator can run manage.py audit_usage."

Tokens = Mapping[str, int]


@dataclass(frozen=True)
class Difference:
    """A session whose recorded tokens differ from its transcript."""

    backend: str
    session: str
    recorded: dict[str, int]
    transcript: dict[str, int] | None
    "None if the host has no transcript of the session."

    @property
    def text(self) -> str:
        name = clis.label_of(self.backend)
        if self.transcript is None:
            recorded = formatted(self.recorded)
            return f"{name} session {self.session}: no transcript on the host; recorded: {recorded}."
        parts = [
            f"{short(kind)} {self.recorded[kind]:,} recorded, {self.transcript[kind]:,} in the transcript"
            for kind in compared(self.backend)
            if self.recorded[kind] != self.transcript[kind]
        ]
        return f"{name} session {self.session}: {'; '.join(parts)}."


@dataclass
class AuditFinding:
    """The result of comparing the sessions of a workspace's login."""

    sessions: int = 0
    differences: list[Difference] = field(default_factory=list)
    outside_sessions: int = 0
    outside_tokens: int = 0
    side_tokens: int = 0
    "Tokens of side requests (titles, summaries), which are recorded but in no transcript."
    untold: int = 0
    "Number of known interrupted answers. No CLI reports all tokens they used."
    begun_tokens: int = 0
    "Tokens that such answers reported at their start. Only transcripts have them; the CLI's totals don't."
    corrections: list[Correction] = field(default_factory=list)
    "Runs that were counted wrongly. Their sessions are among the differences."
    unjudged: list[Unjudged] = field(default_factory=list)
    mended: list[Correction] = field(default_factory=list)
    "Runs that were just corrected."


def short(kind: str) -> str:
    """Return a kind of token as text, such as `cache read`."""
    return kind.removesuffix("_tokens").replace("_", " ")


def formatted(tokens: Tokens) -> str:
    return ", ".join(f"{tokens[kind]:,} {short(kind)}" for kind in TOKENS if tokens[kind])


def compared(backend: str) -> tuple[str, ...]:
    """Return the kinds of tokens that the CLI reports."""
    cli = clis.find(backend)
    return TOKENS if cli and cli.reports_reasoning else TOKENS[:-1]


@dataclass
class Adjustment:
    """What a session's runner recorded about usage that explains differences to the transcript."""

    side: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    "Upper bound of the tokens sent in side requests. It may include those of background agents."
    untold: int = 0
    "Number of interrupted answers."
    begun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    "Tokens of interrupted answers that are in the transcript, but not recorded."
    unsaved: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    "Tokens of interrupted answers that are recorded, but not in the transcript."
    partial: int = 0
    "Upper bound of the output tokens of interrupted answers that are recorded, but not in the transcript."

    def add(self, usage: Mapping[str, Any]) -> None:
        """Add what the outcome of a run says about its usage."""
        self.untold += int(usage.get("untold") or 0)
        self.partial += int(usage.get("partial") or 0)
        for name in ("side", "begun", "unsaved"):
            for kind, amount in (usage.get(name) or {}).items():
                getattr(self, name)[kind] += int(amount)


Sessions = Mapping[tuple[str, str], Tokens]
NOTHING = dict.fromkeys(TOKENS, 0)


def compare(
    recorded: Sessions,
    transcripts: Mapping[str, Mapping[str, wire.SessionTokens]],
    adjustments: Mapping[tuple[str, str], Adjustment] | None = None,
    wrong: Collection[tuple[str, str]] = (),
) -> AuditFinding:
    """Compare recorded sessions with transcripts (as the host returns them, by CLI and session). No I/O.

    A session that another one has started is counted with its parent. Nothing explains a difference of a
    session that is `wrong`: one of its runs was counted wrongly.
    """
    finding = AuditFinding(sessions=len(recorded))
    known = _with_children(transcripts)
    for key, tokens in sorted(recorded.items()):
        adjustment, found = (adjustments or {}).get(key, Adjustment()), known.get(key)
        finding.untold += adjustment.untold
        if key in wrong or not _is_explained(key[0], tokens, found or NOTHING, adjustment):
            finding.differences.append(Difference(*key, dict(tokens), found))
        elif adjustment.side:
            more = _sum(tokens) - _sum(found or NOTHING)
            finding.side_tokens += more + _sum(adjustment.begun) - _sum(adjustment.unsaved)
        finding.begun_tokens += _sum(adjustment.begun)
    outside = [tokens for key, tokens in known.items() if key not in recorded]
    finding.outside_sessions, finding.outside_tokens = len(outside), sum(map(_sum, outside))
    return finding


def _sum(tokens: Tokens) -> int:
    """Return all tokens. Reasoning tokens are included in the output tokens."""
    return sum(tokens.get(kind, 0) for kind in TOKENS[:-1])


def _is_explained(backend: str, recorded: Tokens, found: Tokens, adjustment: Adjustment) -> bool:
    """Return whether both are equal, apart from side requests and interrupted answers."""
    more = {
        kind: recorded[kind] + adjustment.begun.get(kind, 0) - adjustment.unsaved.get(kind, 0) - found[kind]
        for kind in compared(backend)
    }
    more["output_tokens"] = max(0, more["output_tokens"] - adjustment.partial) or min(
        0, more["output_tokens"]
    )
    if not any(more.values()):
        return True
    within_side = all(0 <= more[kind] <= amount for kind, amount in adjustment.side.items())
    return bool(adjustment.side) and within_side and more["output_tokens"] >= 0


def _with_children(
    transcripts: Mapping[str, Mapping[str, wire.SessionTokens]],
) -> dict[tuple[str, str], dict[str, int]]:
    """Return the tokens by CLI and session, with child sessions added to their parents."""
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(TOKENS, 0))
    for backend, sessions in transcripts.items():
        for session, transcript in sessions.items():
            total = sums[(backend, transcript.get("parent") or session)]
            for kind in TOKENS:
                total[kind] += transcript["tokens"][kind]
    return dict(sums)


def audit(workspace: Workspace, *, mends: bool = False) -> tuple[Audit, AuditFinding]:
    """Compare the sessions of a workspace's login with the transcripts, and save the result.

    Live sessions are left out, and old ones whose transcript the CLI may have deleted. With `mends`, runs
    that were counted wrongly are corrected first, if their tokens are known. Raises HostError.
    """
    runs = _Runs(workspace)
    finding = runs.compare(runs.read_transcripts())
    if mends and finding.corrections:
        mended = [correction for correction in finding.corrections if mend(correction)]
        again = _Runs(workspace)
        finding = again.compare(runs.transcripts)
        finding.mended = mended
    return _save(workspace, finding), finding


class _Runs:
    """The ended runs of a workspace's login, by session."""

    def __init__(self, workspace: Workspace) -> None:
        same = [each for each in Workspace.objects.all() if _same_login(each, workspace)]
        self.workspace = workspace
        self.since = timezone.now() - KEPT
        self.all_runs = Run.objects.exclude(cli_session="")
        runs = self.all_runs.filter(task__workspace__in=same)
        live = set(runs.filter(state__in=Run.LIVE).values_list("cli_session", flat=True))
        self.sessions: dict[tuple[str, str], list[Run]] = defaultdict(list)
        for run in in_order(runs.exclude(cli_session__in=live).defer("prompt")):
            self.sessions[(run.backend, run.cli_session)].append(run)
        for key, found in list(self.sessions.items()):
            if min(run.queued_at for run in found) < self.since:
                del self.sessions[key]
        self.transcripts: dict[str, dict[str, wire.SessionTokens]] = {}

    def read_transcripts(self) -> dict[str, dict[str, wire.SessionTokens]]:
        """Ask the host, and leave out sessions that are known, but not compared. Raises HostError."""
        params: wire.TranscriptsParams = {
            "environment": self.workspace.environment,
            "since": self.since.timestamp(),
            "starts": {session: starts_of(runs) for (_, session), runs in self.sessions.items()},
        }
        found = hosts.get(self.workspace.host.address).call("transcripts", params, timeout=CALL_SECONDS)
        deleted = UsageByModel.objects.filter(run=None).exclude(session="").values_list("session", flat=True)
        known = {*self.all_runs.values_list("cli_session", flat=True), *deleted}
        compared = {session for _, session in self.sessions}
        self.transcripts = _without(found, known - compared - set(self.earlier_sessions()))
        return self.transcripts

    def earlier_sessions(self) -> dict[str, str]:
        """Return the sessions that runs have left by `/clear`, and the one that each is counted with."""
        return {
            str(former): session
            for (_, session), runs in self.sessions.items()
            for run in runs
            for former in usage_of(run).get("sessions") or []
            if former != session
        }

    def compare(self, transcripts: Mapping[str, Mapping[str, wire.SessionTokens]]) -> AuditFinding:
        earlier = self.earlier_sessions()
        recorded: dict[tuple[str, str], dict[str, int]] = {}
        adjustments: dict[tuple[str, str], Adjustment] = defaultdict(Adjustment)
        for (backend, session), runs in self.sessions.items():
            key = (backend, earlier.get(session, session))
            sums = recorded.setdefault(key, dict(NOTHING))
            for run in runs:
                _add(sums, recorded_of(run))
                adjustments[key].add(usage_of(run))
        judged = self._judged(transcripts, earlier)
        wrong = {(each.run.backend, each.run.cli_session) for each in judged if isinstance(each, Correction)}
        finding = compare(recorded, _joined(transcripts, earlier), adjustments, wrong)
        finding.corrections = [each for each in judged if isinstance(each, Correction)]
        finding.unjudged = [each for each in judged if isinstance(each, Unjudged)]
        return finding

    def _judged(
        self, transcripts: Mapping[str, Mapping[str, wire.SessionTokens]], earlier: Mapping[str, str]
    ) -> list[Correction | Unjudged]:
        """Judge the runs of sessions that can be told apart: not those of a run that has used several."""
        several = {*earlier, *earlier.values()}
        return [
            each
            for (backend, session), runs in sorted(self.sessions.items())
            if session not in several
            for each in judge(runs, _parts(transcripts.get(backend) or {}, session))
        ]


def _parts(transcripts: Mapping[str, wire.SessionTokens], session: str) -> list[wire.TranscriptPart]:
    """Return the parts of a session, including those of sessions that it has started."""
    own = transcripts.get(session)
    if own is None or "parts" not in own:
        return []
    parts = own["parts"]
    for child in transcripts.values():
        if child.get("parent") == session:
            parts = [
                _with_part(*pair) for pair in zip(parts, child.get("parts") or [], strict=False)
            ] or parts
    return parts


def _with_part(part: wire.TranscriptPart, more: wire.TranscriptPart) -> wire.TranscriptPart:
    by_model: dict[str, Any] = {model: dict(used) for model, used in part["by_model"].items()}
    for model, used in more["by_model"].items():
        _add(by_model.setdefault(model, dict(NOTHING)), cast("Tokens", used))
    tokens = dict(part["tokens"])
    _add(tokens, more["tokens"])
    return {**part, "tokens": tokens, "by_model": by_model}


def _joined(
    transcripts: Mapping[str, Mapping[str, wire.SessionTokens]], earlier: Mapping[str, str]
) -> dict[str, dict[str, wire.SessionTokens]]:
    """Return the transcripts, with sessions that a run has left counted with its last one."""
    return {
        backend: {
            session: {**found, "parent": earlier[session]} if session in earlier else found
            for session, found in sessions.items()
        }
        for backend, sessions in transcripts.items()
    }


def _add(sums: dict[str, int], tokens: Tokens) -> None:
    for kind in TOKENS:
        sums[kind] = sums.get(kind, 0) + int(tokens.get(kind) or 0)


def _same_login(one: Workspace, other: Workspace) -> bool:
    return one.address.key == other.address.key and one.environment == other.environment


def _without(
    transcripts: Mapping[str, Mapping[str, wire.SessionTokens]], sessions: set[str]
) -> dict[str, dict[str, wire.SessionTokens]]:
    """Return the transcripts without these sessions and their children."""
    return {
        backend: {
            name: transcript
            for name, transcript in found.items()
            if name not in sessions and transcript.get("parent") not in sessions
        }
        for backend, found in transcripts.items()
    }


def _shown(workspace: Workspace, differences: list[Difference]) -> list[str]:
    """Return the texts for the workspace's page. It does not name sessions of other owners on the login."""
    runs = Run.objects.filter(task__workspace__owner=workspace.owner_id)
    own = set(runs.values_list("cli_session", flat=True))
    return [each.text if each.session in own else FOREIGN for each in differences]


def _save(workspace: Workspace, finding: AuditFinding) -> Audit:
    values = {
        "at": timezone.now(),
        "sessions": finding.sessions,
        "differences": _shown(workspace, finding.differences[:100]),
        "outside_sessions": finding.outside_sessions,
        "outside_tokens": finding.outside_tokens,
        "side_tokens": finding.side_tokens,
        "untold": finding.untold,
        "begun_tokens": finding.begun_tokens,
        "error": "",
    }
    row, _ = Audit.objects.update_or_create(workspace=workspace, defaults=values)
    return row
