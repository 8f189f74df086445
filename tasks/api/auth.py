"""Who calls: a script with a token, or a page with its session."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import AuthenticationError
from ninja.security import APIKeyCookie, HttpBearer

from workspaces.access import person
from workspaces.models import ApiToken

NOTED_EVERY = timedelta(minutes=1)
"How exactly a token's last use is known; a write for each request would be too many."


class BearerToken(HttpBearer):
    """`Authorization: Bearer …`; a token that is not valid is refused even where a session would do."""

    def authenticate(self, request: HttpRequest, token: str) -> User:
        digest = ApiToken.digest_of(token.strip())
        row = ApiToken.objects.select_related("user").filter(digest=digest, user__is_active=True).first()
        if row is None:
            raise AuthenticationError(message="This token is not valid. It may have been revoked.")
        note_use(row)
        request.user = row.user
        return row.user


class SessionLogin(APIKeyCookie):
    """The cookie of the pages; a write needs the CSRF token too (header X-CSRFToken)."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> User:
        return person(request)

    def _get_key(self, request: HttpRequest) -> str | None:
        # Who is not logged in hears just that; the CSRF token is asked for afterwards.
        if not request.user.is_authenticated:
            raise AuthenticationError(message="Log in, or send an Authorization: Bearer header with a token.")
        return super()._get_key(request)


def note_use(token: ApiToken) -> None:
    """Keep when the token was last used, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
