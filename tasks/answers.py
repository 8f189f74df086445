"""Responses to the buttons of a task's page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from aitask.lib.answers import answer


def answer_on_task(
    request: HttpRequest, pk: int, verb: Callable[[], object], text: str = "", *, go: str = ""
) -> HttpResponse:
    """Call `answer` for the page of the task with this id."""
    return answer(request, verb, text, to=reverse("task", args=[pk]), go=go)
