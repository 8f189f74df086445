"""Commands that a link types into a terminal. They are signed, so that nobody else can make such a link."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core import signing

PARAMETER = "type"
HOURS = 12
SALT = "aitask.typed_commands"
MAX_LENGTH = 1000


def link(terminal: str, command: str, user: AbstractBaseUser | AnonymousUser) -> str:
    """Return the address of a terminal page that types a command, and does not send it.

    It works for this user and this terminal, for some hours. Empty for a command that can't be typed as it
    is seen, such as one with a line break, which would send it.
    """
    if not terminal or not command.isprintable() or len(command) > MAX_LENGTH:
        return ""
    signed = signing.dumps([terminal, user.pk, command], salt=SALT, compress=True)
    return f"{terminal}?{urlencode({PARAMETER: signed})}"


def command_in(signed: str, terminal: str, user: AbstractBaseUser | AnonymousUser) -> str:
    """Return the command of a link; empty if it is for another user or terminal, or not ours."""
    try:
        place, pk, command = signing.loads(signed, salt=SALT, max_age=HOURS * 3600)
    except (signing.BadSignature, TypeError, ValueError):
        return ""
    return str(command) if (place, pk) == (terminal, user.pk) else ""
