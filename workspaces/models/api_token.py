"""Tokens for the JSON API."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

DAYS = 365
"""How long a token is valid by default."""


def default_end() -> datetime:
    return timezone.now() + timedelta(days=DAYS)


class ApiToken(models.Model):
    """A user's token for the JSON API. Only its digest is stored. It ends when the password changes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    password_digest = models.CharField(
        max_length=64, editable=False, default="", help_text="Of the password's hash when it was created"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField("valid until", default=default_end)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API token"
        verbose_name_plural = "API tokens"

    def __str__(self) -> str:
        return f"{self.name} of {self.user_id}"

    @staticmethod
    def digest_of(token: str) -> str:
        """Return the SHA-256 of a token: it has 256 random bits, so a fast hash is as safe as a slow one."""
        return hashlib.sha256(token.encode()).hexdigest()

    @classmethod
    def issue(cls, *, user_id: int, name: str, days: int = DAYS) -> str:
        """Create a token and return it; it can't be read again."""
        token = f"aitask_{secrets.token_urlsafe(32)}"
        cls.objects.create(
            user_id=user_id,
            name=name,
            digest=cls.digest_of(token),
            password_digest=password_digest(User.objects.get(pk=user_id).password),
            expires_at=timezone.now() + timedelta(days=days),
        )
        return token

    @property
    def end_reason(self) -> str:
        """Why it is not valid any more; empty while it is."""
        if self.expires_at <= timezone.now():
            return "It has expired."
        if not hmac.compare_digest(self.password_digest, password_digest(self.user.password)):
            return "The password has been changed since it was created."
        return ""


def password_digest(stored: str) -> str:
    """Return the digest of a stored password, which is a salted hash itself.

    It does not depend on SECRET_KEY, unlike Django's hash for sessions: scripts survive a change of that.
    """
    return hashlib.sha256(f"api token {stored}".encode()).hexdigest()


def follow_upgrade(instance: User, update_fields: frozenset[str] | None, **_: Any) -> None:
    """Keep the tokens when a login only upgrades how the password is stored.

    Django then saves just this field, and has no new password in `_password`, as after `set_password`.
    """
    is_upgrade = update_fields == frozenset({"password"}) and getattr(instance, "_password", None) is None
    if is_upgrade and (old := User.objects.filter(pk=instance.pk).values_list("password", flat=True).first()):
        own = ApiToken.objects.filter(user_id=instance.pk, password_digest=password_digest(old))
        own.update(password_digest=password_digest(instance.password))
