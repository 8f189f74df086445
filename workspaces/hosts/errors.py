"""The one way in which anything at the door to a host fails."""

from __future__ import annotations

from typing import Any

from aitask.lib.errors import Refused


class HostError(Refused):
    """A host could not be reached or did not do what it was asked.

    `code` names the kind for programs, `retryable` says that the same call may succeed later without anyone
    doing anything, `data` carries what a page needs (the fingerprint of an unknown key, a command's output).
    """

    status = 503

    def __init__(
        self,
        reason: str,
        hint: str = "",
        *,
        code: str,
        retryable: bool = False,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(reason, hint)
        self.code = code
        self.retryable = retryable
        self.data = data or {}


REMOTE_CODES = {
    "not_found": "not_found",
    "permission": "permission",
    "timeout": "timeout_remote",
    "exists": "exists",
    "bad_request": "bad_request",
}
"""What hostkit calls its failures, and what they are called above the door."""


def remote_error(error: dict[str, Any]) -> HostError:
    """The failure that hostkit reported for a request."""
    kind = str(error.get("kind", "failed"))
    message = str(error.get("message") or kind)
    return HostError(message, code=REMOTE_CODES.get(kind, "remote_failed"), retryable=kind == "timeout")
