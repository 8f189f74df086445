"""What a page of a task answers to a button."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from aitask.lib import htmx


def answer_on_task(
    request: HttpRequest, pk: int, verb: Callable[[], object], said: str = "", *, go: str = ""
) -> HttpResponse:
    """`htmx.answer` on the page of the task with this id."""
    return htmx.answer(request, verb, said, to=reverse("task", args=[pk]), go=go)
