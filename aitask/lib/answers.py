"""Responses of views for the result of a service, or for its refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse

from aitask.lib import htmx
from aitask.lib.errors import InvalidInput, Refused

Result = TypeVar("Result")


def attempt(verb: Callable[[], Result]) -> Result | Refused:
    """Return the result of `verb`, or its refusal."""
    try:
        return verb()
    except Refused as error:
        return error
    except ValidationError as error:
        return InvalidInput(error)


def answer(
    request: HttpRequest,
    verb: Callable[[], Result],
    text: str = "",
    *,
    to: str,
    go: str | Callable[[Result], str] = "",
) -> HttpResponse:
    """Call `verb` and confirm it with `text`, or with its result if that is a string.

    The user stays on the page `to`, or is redirected to `go` after a success.
    """
    result = attempt(verb)
    if isinstance(result, Refused):
        return htmx.refused(request, result.reason, result.hint, to=to)
    text = result if isinstance(result, str) else text
    target = go(result) if callable(go) else go
    return htmx.done(request, text, to=target or to, stay=not target)


def json_answer(verb: Callable[[], dict[str, Any]]) -> JsonResponse:
    """Return the result of `verb` as JSON; for a refusal, `error` and `hint` with the error's status."""
    result = attempt(verb)
    if isinstance(result, Refused):
        return JsonResponse({"error": result.reason, "hint": result.hint}, status=result.status)
    return JsonResponse(result)


def text_answer(error: Refused) -> HttpResponse:
    """Return a refusal as plain text, for parts of a page that show it in place of their content."""
    return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")


def succeeds(form: forms.BaseForm, verb: Callable[[], object], *, field: str | None = None) -> bool:
    """Call `verb` for a valid form. On a refusal, add its reason to the form and return False."""
    result = attempt(verb)
    if isinstance(result, Refused):
        show_refusal(form, result, field=field)
    return not isinstance(result, Refused)


def show_refusal(form: forms.BaseForm, error: Refused, *, field: str | None = None) -> None:
    """Add the reason to `field`; what is said of invalid input to its own field, or to the whole form."""
    if not isinstance(error, InvalidInput):
        form.add_error(field, str(error))
        return
    for name, sentences in error.fields.items():
        for sentence in sentences:
            form.add_error(name if name in form.fields else None, sentence)
