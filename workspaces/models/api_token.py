"""Tokens for the JSON API."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone


class ApiToken(models.Model):
    """A user's token for the JSON API; only its digest is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} of {self.user_id}"

    @staticmethod
    def digest_of(token: str) -> str:
        """Return the SHA-256 of a token: it has 256 random bits, so a fast hash is as safe as a slow one."""
        return hashlib.sha256(token.encode()).hexdigest()

    @classmethod
    def issue(cls, *, user_id: int, name: str) -> str:
        """Create a token and return it; it can't be read again."""
        token = f"aitask_{secrets.token_urlsafe(32)}"
        cls.objects.create(user_id=user_id, name=name, digest=cls.digest_of(token))
        return token
