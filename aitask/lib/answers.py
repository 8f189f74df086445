"""How a view answers with what a service did, or with the reason why it could not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse

from aitask.lib import htmx
from aitask.lib.errors import Refused

Result = TypeVar("Result")


def attempt(verb: Callable[[], Result]) -> Result | Refused:
    """What `verb` returns, or why it can't be done now."""
    try:
        return verb()
    except Refused as error:
        return error
    except ValidationError as error:
        return Refused.from_validation(error)


def answer(
    request: HttpRequest,
    verb: Callable[[], Result],
    text: str = "",
    *,
    to: str,
    go: str | Callable[[Result], str] = "",
) -> HttpResponse:
    """Carry out a verb and confirm it with `text`, or with what the verb returns when that is a text.

    The user stays on the page at `to`, or goes to `go` once the verb has worked.
    """
    result = attempt(verb)
    if isinstance(result, Refused):
        return htmx.refused(request, result.reason, result.hint, to=to)
    text = result if isinstance(result, str) else text
    target = go(result) if callable(go) else go
    return htmx.done(request, text, to=target or to, stay=not target)


def json_answer(verb: Callable[[], dict[str, Any]]) -> JsonResponse:
    """What `verb` returns; else `error` and `hint`, with 503 when a host can't be reached, else 409."""
    result = attempt(verb)
    if isinstance(result, Refused):
        return JsonResponse({"error": result.reason, "hint": result.hint}, status=result.status)
    return JsonResponse(result)


def text_answer(error: Refused) -> HttpResponse:
    """The reason as plain text, for parts of a page that show it in their place."""
    return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")


def succeeds(form: forms.BaseForm, verb: Callable[[], object], *, field: str | None = None) -> bool:
    """Carry out a verb for a valid form; False, with the reason on the form, when it can't be done now."""
    result = attempt(verb)
    if isinstance(result, Refused):
        form.add_error(field, str(result))
    return not isinstance(result, Refused)
