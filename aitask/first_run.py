"""The one-time link that creates the first administrator."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model

from aitask.lib.private_files import write_private


def is_needed() -> bool:
    """Return whether there is no account yet. If there is one, a left-over token is removed.

    It would work again if all accounts were deleted.
    """
    if not get_user_model().objects.exists():
        return True
    _file().unlink(missing_ok=True)
    page().unlink(missing_ok=True)
    return False


def new_token() -> str:
    """Create a token, which replaces any earlier one; only its digest is stored."""
    token = secrets.token_urlsafe(24)
    write_private(_file(), _digest(token))
    return token


def is_valid(token: str) -> bool:
    try:
        digest = _file().read_text()
    except FileNotFoundError:
        return False
    return is_needed() and hmac.compare_digest(digest, _digest(token))


def use(token: str) -> bool:
    """Use up the token; return False if it is invalid or has been used already."""
    if not is_valid(token):
        return False
    try:
        _file().unlink()
    except FileNotFoundError:
        return False
    return True


def page() -> Path:
    """Return the file that leads a browser to the link; removed once there is an account."""
    path: Path = settings.DATA_DIR / "setup.html"
    return path


def _file() -> Path:
    path: Path = settings.DATA_DIR / "setup_token"
    return path


def _digest(token: str) -> str:
    """Return the SHA-256 of a token: it has 192 random bits, so a fast hash is as safe as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()
