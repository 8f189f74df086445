"""The one-time link by which the first administrator is made."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model


def is_needed() -> bool:
    """Nobody could log in yet."""
    return not get_user_model().objects.exists()


def new_token() -> str:
    """A fresh token, in place of any earlier one; only its digest is kept."""
    token = secrets.token_urlsafe(24)
    draft = _file().with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(_digest(token))
    draft.replace(_file())
    return token


def is_valid(token: str) -> bool:
    try:
        kept = _file().read_text()
    except FileNotFoundError:
        return False
    return hmac.compare_digest(kept, _digest(token)) and is_needed()


def use(token: str) -> bool:
    """Spend the token; False when it is not valid or somebody else was faster."""
    if not is_valid(token):
        return False
    try:
        _file().unlink()
    except FileNotFoundError:
        return False
    return True


def _file() -> Path:
    path: Path = settings.DATA_DIR / "setup_token"
    return path


def _digest(token: str) -> str:
    """The token has 192 random bits, so a plain fast hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()
