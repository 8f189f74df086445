"""What is wrong with a form that a page has sent, shown beside its fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpResponse
from django_htmx.http import trigger_client_event

from aitask.lib.errors import InvalidFields
from tasks.conversation.forms import names_on_page
from tasks.conversation.requests import Ask

MOST, LONGEST = 20, 150
"Fields, and characters of a sentence: they are sent in a header."


class FormProblems:
    """Collects the problems of the first form that is refused."""

    def __init__(self) -> None:
        self._ask = ""
        self._fields: dict[str, str] = {}

    @contextmanager
    def noted(self, ask: Ask | None) -> Iterator[None]:
        """Note what is wrong with the answer to this request, if it is a form."""
        try:
            yield
        except InvalidFields as error:
            if ask and not self._ask:
                self._ask = ask.key
                self._fields = names_on_page(ask.request, error.fields)
            raise

    def shown_on(self, response: HttpResponse) -> HttpResponse:
        """Return the response with an event that shows the problems on the page."""
        if not self._ask:
            return response
        fields = {name: text[:LONGEST] for name, text in list(self._fields.items())[:MOST]}
        return trigger_client_event(response, "problems", {"ask": self._ask, "fields": fields})
