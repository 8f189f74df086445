"""Web Push: notifications that arrive with no page open."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from py_vapid import Vapid02, b64urldecode, b64urlencode

from tasks.conversation import notifications, push_addresses
from tasks.models import Attention, PushKey, PushSubscription

log = logging.getLogger(__name__)

TTL_SECONDS = 3600
"How long a push service keeps a message for a browser that is offline."
SEND_SECONDS = 10
ALL_SECONDS = 20
"The deadline for all browsers together."
AT_ONCE = 8
ENDED = (404, 410)
AUTH_BYTES = 16


class _Answer(Protocol):
    status_code: int


def send(attention_id: int) -> None:
    """Send a notification to the subscribed browsers, once. Subscriptions that have ended are deleted."""
    waiting = Attention.objects.filter(pk=attention_id, pushed_at=None)
    if not waiting.update(pushed_at=timezone.now()):
        return
    row = Attention.objects.select_related("run__task__workspace").get(pk=attention_id)
    if notifications.is_over(row):
        return
    subscribed = [
        subscription
        for subscription in PushSubscription.objects.select_related("user")
        if row.kind in subscription.kinds
        and notifications.visible(subscription.user).filter(pk=row.pk).exists()
    ]
    push_all(subscribed, notifications.as_message(row))


def push_all(subscriptions: list[PushSubscription], message: dict[str, Any]) -> None:
    """Send a message to all of them within one deadline, so that a slow service delays no other."""
    if not subscriptions:
        return
    key, text = _vapid(private_key()), json.dumps(message)
    pool = ThreadPoolExecutor(min(AT_ONCE, len(subscriptions)))
    calls = {pool.submit(_push, each, text, key): each for each in subscriptions}
    done, late = wait(calls, timeout=ALL_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    for call in done:
        if error := call.result():
            _note_failure(calls[call], error)
    for call in late:
        _note_failure(calls[call], TimeoutError(f"no answer within {ALL_SECONDS} s"))


def _push(subscription: PushSubscription, text: str, key: Vapid02) -> Exception | None:
    """Send a message to the browser's push service; return why it failed. Uses no database."""
    from pywebpush import WebPushException, webpush  # imports aiohttp, which the web process does not need

    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    try:
        address = push_addresses.parse(subscription.endpoint)
        webpush(
            {"endpoint": subscription.endpoint, "keys": keys},
            data=text,
            vapid_private_key=key,
            vapid_claims={"sub": _contact()},
            ttl=TTL_SECONDS,
            timeout=SEND_SECONDS,
            requests_session=push_addresses.PushSession(address, SEND_SECONDS),
        )
    except (WebPushException, OSError, ValueError) as error:
        return error
    return None


def check_keys(p256dh: str, auth: str) -> None:
    """Raise ValueError unless these are a point of the P-256 curve and 16 secret bytes."""
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b64urldecode(p256dh.encode()))
    if len(b64urldecode(auth.encode())) != AUTH_BYTES:
        raise ValueError("The secret of a subscription must have 16 bytes.")


def _note_failure(subscription: PushSubscription, error: Exception) -> None:
    answer: _Answer | None = getattr(error, "response", None)
    if answer is not None and answer.status_code in ENDED:
        subscription.delete()
        return
    log.warning("push to %s failed: %s", subscription.endpoint.split("/")[2], error)
    PushSubscription.objects.filter(pk=subscription.pk).update(trouble=str(error)[:300])


def private_key() -> str:
    """Return the installation's key (PEM); it is created at first use."""
    with transaction.atomic():
        key = PushKey.objects.order_by("pk").first()
        if key is None:
            vapid = Vapid02()
            vapid.generate_keys()
            key, _ = PushKey.objects.get_or_create(pk=1, defaults={"private": vapid.private_pem().decode()})
    return key.private


def public_key() -> str:
    """Return the key that browsers need to subscribe: the uncompressed point in base64url."""
    point = _vapid(private_key()).public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return str(b64urlencode(point))


@cache
def _vapid(pem: str) -> Vapid02:
    return Vapid02.from_pem(pem.encode())


def _contact() -> str:
    """Return a contact for push services: our own URL, if there is a public one."""
    origin = next((each for each in settings.CSRF_TRUSTED_ORIGINS if each.startswith("https://")), "")
    return origin or "mailto:aitask@localhost.invalid"
