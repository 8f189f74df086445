"""Authentication of API calls: a bearer token, or the session of a page."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import AuthenticationError
from ninja.security import APIKeyCookie, HttpBearer

from workspaces.access import current_user
from workspaces.models import ApiToken

SAVE_EVERY = timedelta(minutes=1)
"Precision of a token's last use, to avoid a write per request."


class BearerToken(HttpBearer):
    """`Authorization: Bearer …`. An invalid token is rejected even if there is a valid session."""

    def authenticate(self, request: HttpRequest, token: str) -> User:
        digest = ApiToken.digest_of(token.strip())
        row = ApiToken.objects.select_related("user").filter(digest=digest, user__is_active=True).first()
        if row is None:
            raise AuthenticationError(message="This token is not valid. It may have been revoked.")
        if row.end_reason:
            raise AuthenticationError(message=f"This token is not valid any more. {row.end_reason}")
        save_last_use(row)
        request.user = row.user
        request.api_token = row  # type: ignore[attr-defined]
        return row.user


class SessionLogin(APIKeyCookie):
    """The session cookie of the pages. Writes also need the CSRF token (header X-CSRFToken)."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> User:
        return current_user(request)

    def _get_key(self, request: HttpRequest) -> str | None:
        # Check the login before the CSRF token, so that anonymous callers get 401.
        if not request.user.is_authenticated:
            raise AuthenticationError(message="Log in, or send an Authorization: Bearer header with a token.")
        return super()._get_key(request)


def save_last_use(token: ApiToken) -> None:
    """Save when the token was last used, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - SAVE_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
