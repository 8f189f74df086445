"""The badge (text, colour and icon) of each state of runs, messages, merge steps and merge trains."""

from __future__ import annotations

from aitask.lib.badges import Badge
from tasks.models import MergeStep, MergeTrain, Outgoing, Run, Verdict

CANCELLING = Badge("cancelling", "waits", "loader-circle")
LINK_LOST = Badge("link lost", "needs", "cloud-off")
RUNS = {
    Run.State.QUEUED.value: Badge("queued", "", "clock"),
    Run.State.STARTING.value: Badge("starting", "works", "loader-circle"),
    Run.State.RUNNING.value: Badge("working", "works", "loader-circle"),
    Run.State.WAITING.value: Badge("needs you", "needs", "hand"),
    Run.State.SUCCEEDED.value: Badge("finished", "good", "circle-check"),
    Run.State.FAILED.value: Badge("failed", "bad", "circle-x"),
    Run.State.CANCELLED.value: Badge("cancelled", "waits", "circle-slash"),
    Run.State.LOST.value: Badge("lost", "bad", "unplug"),
}
FAILURES = {
    "login": Badge("login refused", "bad", "key-round"),
    "limit": Badge("limit reached", "bad", "gauge"),
    "setup": Badge("setup failed", "bad", "circle-x"),
    "model": Badge("wrong model", "bad", "circle-x"),
}
ENDED = Badge("ended", "", "circle-dot")

VERDICTS = {
    Verdict.Kind.ACCEPTED.value: Badge("accepted", "good", "circle-check"),
    Verdict.Kind.MERGED.value: Badge("merged", "good", "circle-check"),
    Verdict.Kind.DROPPED.value: Badge("discarded", "", "trash-2"),
}
SPINNER = "loader-circle"
TRAINS = {
    MergeTrain.State.FINISHED.value: ("good", "circle-check"),
    MergeTrain.State.STOPPED.value: ("bad", "octagon-alert"),
    MergeTrain.State.CANCELLED.value: ("", "circle-slash"),
    MergeTrain.State.UNDONE.value: ("", "undo-2"),
}
STEPS = {
    MergeStep.State.WAITING.value: ("", "clock"),
    MergeStep.State.MERGED.value: ("good", "circle-check"),
    MergeStep.State.CLEAN.value: ("good", "circle-check"),
    MergeStep.State.ALREADY.value: ("", "check"),
    MergeStep.State.NOTHING.value: ("", "check"),
}


def run_badge(run: Run, *, link_lost: bool = False) -> Badge:
    """The run's state, or in its place a cancellation, a lost link or the cause of a failure."""
    if run.is_active and run.cancel_requested_at:
        return CANCELLING
    if run.is_active and link_lost:
        return LINK_LOST
    if run.state == Run.State.FAILED and run.reason_code in FAILURES:
        return FAILURES[run.reason_code]
    return RUNS[run.state]


def outcome_badge(state: str) -> Badge:
    """The badge of the state that a `finished` event reports."""
    return RUNS[state] if state in Run.ENDED else ENDED


def train_badge(train: MergeTrain) -> Badge:
    kind, icon = ("works", SPINNER) if train.is_live else TRAINS[train.state]
    text = train.get_state_display().lower()
    return Badge(f"{text} (dry run)" if train.dry_run else text, kind, icon)


def step_badge(step: MergeStep) -> Badge:
    other = ("works", SPINNER) if step.is_open else ("bad", "circle-x")
    kind, icon = STEPS.get(step.state, other)
    return Badge(step.get_state_display().lower(), kind, icon)


def message_badge(row: Outgoing) -> Badge:
    """The delivery state of a message or a setting."""
    if row.state == Outgoing.State.FAILED:
        return Badge("not delivered", "bad", "circle-x")
    if row.state == Outgoing.State.WAITING or row.kind == Outgoing.Kind.SETTING:
        return Badge("waiting for the host", "waits", "clock")
    after_turn = row.payload.get("when") == "after_turn"
    return Badge("after this turn" if after_turn else "waiting for the agent", "waits", "clock")
