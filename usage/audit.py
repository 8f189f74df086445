"""Our rows against the CLIs' own transcripts on the host, session by session; and what others did there."""

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

Tokens = Mapping[str, int]


@dataclass(frozen=True)
class Difference:
    """One session of ours of which the transcript says something else."""

    backend: str
    session: str
    ours: dict[str, int]
    theirs: dict[str, int] | None
    "None: there is no transcript of it."

    @property
    def words(self) -> str:
        name = clis.label_of(self.backend)
        if self.theirs is None:
            return f"{name} session {self.session}: no transcript on the host; ours {told(self.ours)}."
        parts = [
            f"{short(kind)} {self.ours[kind]:,} ours, {self.theirs[kind]:,} theirs"
            for kind in compared(self.backend)
            if self.ours[kind] != self.theirs[kind]
        ]
        return f"{name} session {self.session}: {'; '.join(parts)}."


@dataclass
class AuditFinding:
    """What comparing one workspace's login showed."""

    sessions: int = 0
    differences: list[Difference] = field(default_factory=list)
    outside_sessions: int = 0
    outside_tokens: int = 0
    side_tokens: int = 0
    "Of requests that the CLIs made beside the work (titles, summaries): in our sums, and in no transcript."
    untold: int = 0
    "Answers that were broken off, as far as it was noticed: no CLI says all that they used."
    begun_tokens: int = 0
    "What such answers said as they began, in the transcripts only: the CLI leaves it out of its totals."


def short(kind: str) -> str:
    return kind.removesuffix("_tokens").replace("_", " ")


def told(tokens: Tokens) -> str:
    return ", ".join(f"{tokens[kind]:,} {short(kind)}" for kind in TOKENS if tokens[kind])


def compared(backend: str) -> tuple[str, ...]:
    """The kinds of tokens that the CLI counts."""
    cli = clis.find(backend)
    return TOKENS if cli and cli.reports_reasoning else TOKENS[:-1]


@dataclass
class Apart:
    """What the runner of a session noticed that no transcript tells."""

    side: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    "Tokens that were sent in side requests, at most: what agents in the background send may be among them."
    untold: int = 0
    begun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    "Tokens of answers that were broken off, in the transcript and not in our sums."
    unsaved: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    "Tokens of answers that were broken off, in our sums and not in the transcript."


Sessions = Mapping[tuple[str, str], Tokens]
NOTHING = dict.fromkeys(TOKENS, 0)


def compare(
    ours: Sessions,
    theirs: Mapping[str, Mapping[str, wire.SessionTokens]],
    aparts: Mapping[tuple[str, str], Apart] | None = None,
) -> AuditFinding:
    """Both tell tokens per CLI and session. What a session of ours has spawned is counted with it. Pure."""
    finding = AuditFinding(sessions=len(ours))
    known = _with_children(theirs)
    for key, mine in sorted(ours.items()):
        apart, found = (aparts or {}).get(key, Apart()), known.get(key)
        finding.untold += apart.untold
        if not _is_explained(key[0], mine, found or NOTHING, apart):
            finding.differences.append(Difference(*key, dict(mine), found))
        elif apart.side:
            more = _sum(mine) - _sum(found or NOTHING)
            finding.side_tokens += more + _sum(apart.begun) - _sum(apart.unsaved)
        finding.begun_tokens += _sum(apart.begun)
    outside = [tokens for key, tokens in known.items() if key not in ours]
    finding.outside_sessions, finding.outside_tokens = len(outside), sum(map(_sum, outside))
    return finding


def _sum(tokens: Tokens) -> int:
    """Reasoning is a part of the output."""
    return sum(tokens.get(kind, 0) for kind in TOKENS[:-1])


def _is_explained(backend: str, mine: Tokens, found: Tokens, apart: Apart) -> bool:
    """Equal but for what is told apart: side requests, and answers that were broken off."""
    more = {
        kind: mine[kind] + apart.begun.get(kind, 0) - apart.unsaved.get(kind, 0) - found[kind]
        for kind in compared(backend)
    }
    if not any(more.values()):
        return True
    sent = all(0 <= more[kind] <= amount for kind, amount in apart.side.items())
    return bool(apart.side) and sent and more["output_tokens"] >= 0


def _with_children(
    theirs: Mapping[str, Mapping[str, wire.SessionTokens]],
) -> dict[tuple[str, str], dict[str, int]]:
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(TOKENS, 0))
    for backend, sessions in theirs.items():
        for session, said in sessions.items():
            into = sums[(backend, said.get("parent") or session)]
            for kind in TOKENS:
                into[kind] += said["tokens"][kind]
    return dict(sums)


def our_sessions(runs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (row["backend"], row["cli_session"]): {kind: row[f"sum_{kind}"] or 0 for kind in TOKENS}
        for row in runs
    }


def audit(workspace: Workspace) -> tuple[Audit, AuditFinding]:
    """Compare and keep the result. HostError when the host can't be reached. Live sessions are left out, and
    those of which the CLI may have cleaned up the transcript."""
    same = [each for each in Workspace.objects.all() if _same_login(each, workspace)]
    runs = Run.objects.exclude(cli_session="")
    mine = runs.filter(task__workspace__in=same)
    going = set(mine.filter(state__in=Run.LIVE).values_list("cli_session", flat=True))
    since = timezone.now() - KEPT
    params: wire.TranscriptsParams = {"environment": workspace.environment, "since": since.timestamp()}
    theirs = hosts.get(workspace.host.address).call("transcripts", params, timeout=CALL_SECONDS)
    sums = {f"sum_{kind}": Sum(kind) for kind in TOKENS}
    ended = mine.exclude(cli_session__in=going).order_by().values("backend", "cli_session")
    ours = our_sessions(ended.annotate(first=Min("queued_at"), **sums).filter(first__gte=since))
    deleted = UsageByModel.objects.filter(run=None).exclude(session="").values_list("session", flat=True)
    known = {*runs.values_list("cli_session", flat=True), *deleted} - {session for _, session in ours}
    finding = compare(ours, _without(theirs, known), _told_apart(mine.filter(queued_at__gte=since)))
    return _keep(workspace, finding), finding


def _told_apart(runs: QuerySet[Run]) -> dict[tuple[str, str], Apart]:
    """What the runners noticed, by session."""
    found: dict[tuple[str, str], Apart] = defaultdict(Apart)
    for backend, session, outcome in runs.values_list("backend", "cli_session", "outcome"):
        usage = (outcome or {}).get("usage") or {}
        apart = found[(backend, session)]
        apart.untold += int(usage.get("untold") or 0)
        for name in ("side", "begun", "unsaved"):
            for kind, amount in (usage.get(name) or {}).items():
                getattr(apart, name)[kind] += int(amount)
    return found


def _same_login(one: Workspace, other: Workspace) -> bool:
    return one.address.key == other.address.key and one.environment == other.environment


def _without(
    theirs: Mapping[str, Mapping[str, wire.SessionTokens]], sessions: set[str]
) -> dict[str, dict[str, wire.SessionTokens]]:
    return {
        backend: {
            name: said
            for name, said in found.items()
            if name not in sessions and said.get("parent") not in sessions
        }
        for backend, found in theirs.items()
    }


def _keep(workspace: Workspace, finding: AuditFinding) -> Audit:
    values = {
        "at": timezone.now(),
        "sessions": finding.sessions,
        "differences": [difference.words for difference in finding.differences][:100],
        "outside_sessions": finding.outside_sessions,
        "outside_tokens": finding.outside_tokens,
        "side_tokens": finding.side_tokens,
        "untold": finding.untold,
        "begun_tokens": finding.begun_tokens,
        "error": "",
    }
    row, _ = Audit.objects.update_or_create(workspace=workspace, defaults=values)
    return row
