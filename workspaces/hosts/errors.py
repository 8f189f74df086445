"""The only exception that calls to a host raise."""

from __future__ import annotations

from typing import Any

from aitask.lib.errors import Refused


class HostError(Refused):
    """A host could not be reached, or a call on it failed.

    `code` is the kind of failure for programs. `retryable` means that the same call may succeed later without
    any change. `data` has details such as the fingerprint of an unknown key or the output of a command.
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
"""Maps hostkit's kinds of failure to codes of `HostError`."""


def remote_error(error: dict[str, Any]) -> HostError:
    """Return the error that hostkit reported for a request."""
    kind = str(error.get("kind", "failed"))
    message = str(error.get("message") or kind)
    return HostError(message, code=REMOTE_CODES.get(kind, "remote_failed"), retryable=kind == "timeout")
