"""Why a turn of Codex has failed, or a request is repeated; and the plan limits that it reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...wire import Json, LimitEvent
from .events import breaks_off, failure_of, limit_event

if TYPE_CHECKING:
    from .agent import Codex

NOT_LOGGED_IN = "Codex is not logged in on this host: run `codex login` there."


class CodexFailures:
    """Reports failures with what is known about the login and its limits."""

    def __init__(self, agent: "Codex") -> None:
        self._agent = agent
        self._logged_in = True
        self._limit: Optional[LimitEvent] = None

    def note_account(self, line: Json) -> None:
        account = line.get("result") or {}
        self._logged_in = bool(account.get("account")) or not account.get("requiresOpenaiAuth")

    def note_limits(self, params: Json) -> None:
        event = limit_event(params.get("rateLimits") or {})
        if event and event != self._limit:
            self._limit = event
            self._agent.host.emit(event)

    def note_error(self, params: Json) -> None:
        """Report a request that is repeated. The end of the turn reports other errors."""
        if breaks_off(params.get("error") or {}):
            self._agent.ledger.note_break()
        if not params.get("willRetry"):
            return
        failure = failure_of(params.get("error") or {})
        text = failure.text if self._logged_in else f"{NOT_LOGGED_IN} ({failure.text})"
        self._agent.report_retry(text, failure.code if self._logged_in else "login", failure.status)

    def end_turn(self, error: Json) -> None:
        """Report the failure of a turn."""
        failure = failure_of(error)
        code = "login" if failure.code in ("connection", "other") and not self._logged_in else failure.code
        resets_at = self._limit.get("resets_at") if self._limit and code == "limit" else None
        text = failure.text if code == failure.code else f"{NOT_LOGGED_IN} ({failure.text})"
        self._agent.report_failure(text, code, failure.status, resets_at)
