"""Web Push: notifications that arrive with no page open."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from py_vapid import Vapid02, b64urldecode, b64urlencode

from tasks.conversation import notifications
from tasks.models import Attention, PushKey, PushSubscription

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

TTL_SECONDS = 3600
"How long a push service keeps a message for a browser that is away."
SEND_SECONDS = 10
GONE = (404, 410)
AUTH_BYTES = 16


class _Answer(Protocol):
    status_code: int


def send(attention_id: int) -> None:
    """Tell the browsers that want to hear of it, once; those that are gone for good are forgotten."""
    waiting = Attention.objects.filter(pk=attention_id, pushed_at=None)
    if not waiting.update(pushed_at=timezone.now()):
        return
    row = Attention.objects.select_related("run__task__workspace").get(pk=attention_id)
    if notifications.is_over(row):
        return
    for subscription in PushSubscription.objects.select_related("user"):
        wanted = row.kind in subscription.kinds
        if wanted and notifications.visible(subscription.user).filter(pk=row.pk).exists():
            push(subscription, notifications.as_message(row))


def push(subscription: PushSubscription, message: dict[str, Any]) -> bool:
    """Hand one message to the browser's push service; False when it did not take it."""
    from pywebpush import WebPushException, webpush  # with all of aiohttp: not for the web process

    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    try:
        check_address(subscription.endpoint)
        webpush(
            {"endpoint": subscription.endpoint, "keys": keys},
            data=json.dumps(message),
            vapid_private_key=_vapid(private_key()),
            vapid_claims={"sub": _contact()},
            ttl=TTL_SECONDS,
            timeout=SEND_SECONDS,
            requests_session=_session(),
        )
    except (WebPushException, OSError, ValueError) as error:
        _note_failure(subscription, error)
        return False
    return True


def check_address(endpoint: str) -> None:
    """Raise ValueError unless this may be a push service: a person names it, and the server calls it.

    It speaks HTTPS and is on the public internet; a name that only a proxy can resolve passes.
    """
    address = urlsplit(endpoint)
    if address.scheme != "https" or not address.hostname:
        raise ValueError("A push service speaks HTTPS.")
    try:
        found = socket.getaddrinfo(address.hostname, address.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if not all(ipaddress.ip_address(each[4][0]).is_global for each in found):
        raise ValueError(f"{address.hostname} is no push service: its address is not public.")


def check_keys(p256dh: str, auth: str) -> None:
    """Raise ValueError for what no browser makes: a point of the curve, and 16 secret bytes."""
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b64urldecode(p256dh.encode()))
    if len(b64urldecode(auth.encode())) != AUTH_BYTES:
        raise ValueError("The secret of a subscription has 16 bytes.")


def _session() -> requests.Session:
    """No push service answers with another address, which could be one of our own network."""
    import requests

    session = requests.Session()
    session.max_redirects = 0
    return session


def _note_failure(subscription: PushSubscription, error: Exception) -> None:
    answer: _Answer | None = getattr(error, "response", None)
    if answer is not None and answer.status_code in GONE:
        subscription.delete()
        return
    log.warning("push to %s failed: %s", subscription.endpoint.split("/")[2], error)
    PushSubscription.objects.filter(pk=subscription.pk).update(trouble=str(error)[:300])


def private_key() -> str:
    """The installation's key (PEM), made at first use."""
    with transaction.atomic():
        key = PushKey.objects.order_by("pk").first()
        if key is None:
            made = Vapid02()
            made.generate_keys()
            key, _ = PushKey.objects.get_or_create(pk=1, defaults={"private": made.private_pem().decode()})
    return key.private


def public_key() -> str:
    """What a browser is told when it subscribes: the uncompressed point, base64url."""
    point = _vapid(private_key()).public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return str(b64urlencode(point))


@cache
def _vapid(pem: str) -> Vapid02:
    return Vapid02.from_pem(pem.encode())


def _contact() -> str:
    """Push services want to know whom to complain to: our own address, where there is a public one."""
    origin = next((each for each in settings.CSRF_TRUSTED_ORIGINS if each.startswith("https://")), "")
    return origin or "mailto:aitask@localhost.invalid"
