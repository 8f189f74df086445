"""Notifications: the service worker, push subscriptions, and dismissing the start report."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from aitask.lib import htmx, untrusted_json
from tasks.conversation import push_addresses, web_push
from tasks.models import Attention, PushSubscription
from workspaces.access import current_user

WORKER = settings.BASE_DIR / "tasks" / "static" / "tasks" / "worker.js"
LONGEST = 1000
"Maximum length of a push service's URL."
MOST_BROWSERS = 20
"Maximum number of subscriptions of a user."
DISMISSED = "report_dismissed"
"Session key of the last start report that was dismissed."


@require_GET
def service_worker(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """The script is served at the root, because its scope is limited to its own path."""
    response = HttpResponse(WORKER.read_bytes(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@require_GET
def push_key(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse({"key": web_push.public_key()})


@require_POST
def push_subscribe(request: HttpRequest) -> HttpResponse:
    """Save a browser's subscription and its kinds of notifications; without kinds, delete it."""
    user = current_user(request)
    try:
        given = untrusted_json.loads(request.body)
        fields = _fields(given["subscription"])
        kinds = [kind for kind in given["kinds"] if kind in Attention.Kind.values]
    except untrusted_json.Unreadable as error:
        return _refused(f"The subscription can't be read: {error}.")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _refused("This is not a browser's subscription.")
    endpoint = fields.pop("endpoint")
    if not kinds:
        PushSubscription.objects.filter(endpoint=endpoint, user=user).delete()
        return HttpResponse(status=204)
    if PushSubscription.objects.filter(user=user).exclude(endpoint=endpoint).count() >= MOST_BROWSERS:
        reason = f"Notifications are on in {MOST_BROWSERS} browsers already, the maximum."
        hint = "Turn them off in another browser first."
        return JsonResponse({"error": reason, "hint": hint}, status=409)
    values = {**fields, "kinds": kinds, "user": user, "trouble": ""}
    PushSubscription.objects.update_or_create(endpoint=endpoint, defaults=values)
    return HttpResponse(status=204)


def _refused(reason: str) -> HttpResponse:
    return HttpResponse(reason, status=400, content_type="text/plain; charset=utf-8")


def _fields(subscription: Any) -> dict[str, str]:
    """Return the validated fields of a subscription. Raises ValueError, KeyError or TypeError."""
    keys = subscription["keys"]
    found = {"endpoint": subscription["endpoint"], "p256dh": keys["p256dh"], "auth": keys["auth"]}
    if not all(isinstance(text, str) for text in found.values()) or len(found["endpoint"]) > LONGEST:
        raise ValueError("not a browser's subscription")
    web_push.check_keys(found["p256dh"], found["auth"])
    push_addresses.check(found["endpoint"])
    return found


@require_POST
def report_dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    request.session[DISMISSED] = max(pk, request.session.get(DISMISSED, 0))
    return htmx.done(request, to=reverse("board"))
