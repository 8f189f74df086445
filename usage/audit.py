"""Compares recorded usage with the CLIs' own transcripts on the host, session by session.

Also finds sessions that were not started by this app.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Min, QuerySet, Sum
from django.utils import timezone

from tasks.models import Run
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


Sessions = Mapping[tuple[str, str], Tokens]
NOTHING = dict.fromkeys(TOKENS, 0)


def compare(
    recorded: Sessions,
    transcripts: Mapping[str, Mapping[str, wire.SessionTokens]],
    adjustments: Mapping[tuple[str, str], Adjustment] | None = None,
) -> AuditFinding:
    """Compare recorded sessions with transcripts (as the host returns them, by CLI and session). No I/O.

    A session that another one has started is counted with its parent.
    """
    finding = AuditFinding(sessions=len(recorded))
    known = _with_children(transcripts)
    for key, tokens in sorted(recorded.items()):
        adjustment, found = (adjustments or {}).get(key, Adjustment()), known.get(key)
        finding.untold += adjustment.untold
        if not _is_explained(key[0], tokens, found or NOTHING, adjustment):
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


def recorded_sessions(runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, int]]:
    """Return the tokens by CLI and session from rows with a `sum_…` per kind of token."""
    return {
        (row["backend"], row["cli_session"]): {kind: row[f"sum_{kind}"] or 0 for kind in TOKENS}
        for row in runs
    }


def audit(workspace: Workspace) -> tuple[Audit, AuditFinding]:
    """Compare the sessions of a workspace's login with the transcripts, and save the result.

    Live sessions are left out, and old ones whose transcript the CLI may have deleted. Raises HostError.
    """
    same = [each for each in Workspace.objects.all() if _same_login(each, workspace)]
    all_runs = Run.objects.exclude(cli_session="")
    runs = all_runs.filter(task__workspace__in=same)
    live = set(runs.filter(state__in=Run.LIVE).values_list("cli_session", flat=True))
    since = timezone.now() - KEPT
    params: wire.TranscriptsParams = {"environment": workspace.environment, "since": since.timestamp()}
    transcripts = hosts.get(workspace.host.address).call("transcripts", params, timeout=CALL_SECONDS)
    sums = {f"sum_{kind}": Sum(kind) for kind in TOKENS}
    ended = runs.exclude(cli_session__in=live).order_by().values("backend", "cli_session")
    recorded = recorded_sessions(ended.annotate(first=Min("queued_at"), **sums).filter(first__gte=since))
    deleted = UsageByModel.objects.filter(run=None).exclude(session="").values_list("session", flat=True)
    known = {*all_runs.values_list("cli_session", flat=True), *deleted}
    ignored = known - {session for _, session in recorded}
    adjustments = _adjustments(runs.filter(queued_at__gte=since))
    finding = compare(recorded, _without(transcripts, ignored), adjustments)
    return _save(workspace, finding), finding


def _adjustments(runs: QuerySet[Run]) -> dict[tuple[str, str], Adjustment]:
    """Return the adjustments by CLI and session, from the runs' outcomes."""
    found: dict[tuple[str, str], Adjustment] = defaultdict(Adjustment)
    for backend, session, outcome in runs.values_list("backend", "cli_session", "outcome"):
        usage = (outcome or {}).get("usage") or {}
        adjustment = found[(backend, session)]
        adjustment.untold += int(usage.get("untold") or 0)
        for name in ("side", "begun", "unsaved"):
            for kind, amount in (usage.get(name) or {}).items():
                getattr(adjustment, name)[kind] += int(amount)
    return found


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
