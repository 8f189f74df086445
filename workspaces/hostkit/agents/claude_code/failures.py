"""Why a turn of Claude Code has failed, or a request is repeated; and the plan limits that it reports."""

from __future__ import annotations

from typing import Optional

from ...base.agent import Agent
from ...base.proposals import ASK_AGAIN, CODE
from ...outcome import NO_PLACE
from ...wire import Json, LimitEvent
from .events import failure_code, limit_event

NO_FORM = "error_max_structured_output_retries"
RETRIED = {
    "login": "Login refused",
    "limit": "Rate limit",
    "model": "Model not found",
    "server": "Server error",
    "connection": "No connection",
}
"""Why a request is tried again, by error code. Others are named as the CLI names them."""


def _words(error: object) -> str:
    """Return the CLI's name of an error in words."""
    name = str(error or "unknown")
    return "The request failed" if name == "unknown" else name.replace("_", " ").capitalize()


class ClaudeFailures:
    """Reports failures with what earlier lines have said about them."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._error = ""
        self._limit: Optional[LimitEvent] = None

    def note_error(self, line: Json) -> None:
        """Note the kind of an error. The result of the turn repeats its text."""
        self._error = str(line["error"])

    def note_retry(self, line: Json) -> None:
        status = line.get("error_status")
        code = failure_code(status, str(line.get("error")))
        delay = float(line.get("retry_delay_ms") or 0) / 1000
        attempt = f"retry {line.get('attempt')} of {line.get('max_retries')} in {delay:.0f} s"
        self._agent.report_retry(f"{RETRIED.get(code) or _words(line.get('error'))}: {attempt}", code, status)

    def note_limit(self, line: Json) -> None:
        event = limit_event(line.get("rate_limit_info") or {})
        if event != self._limit:
            self._limit = event
            self._agent.host.emit(event)

    def end_turn(self, line: Json) -> None:
        """Report the failure of a turn. `line` is its result."""
        status = line.get("api_error_status")
        text = str(line.get("result") or "; ".join(map(str, line.get("errors") or [])) or "The turn failed.")
        code = failure_code(status, self._error, text)
        if line.get("subtype") == NO_FORM:
            text, code = f"The agent's answer was not in the form of a list of tasks. {ASK_AGAIN}", CODE
        text = NO_PLACE if code == "fork" else text
        resets_at = self._limit.get("resets_at") if self._limit and code == "limit" else None
        self._agent.report_failure(text, code, status, resets_at)
