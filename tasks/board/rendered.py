"""Rendered cards, kept by what they show: most cards of a page are the same as on the page before."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Literal

from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from tasks.board.cards import Card
from workspaces.access import USE_TERMINAL

Form = Literal["card", "card with terminal", "row"]
"""A card of the board, for users who may use terminals or not, and a row of the list beside a task."""
MOST_KEPT = 500
"Maximum number of tasks of which HTML is kept."
MINUTE = 60
"Seconds after which a card that shows a time is rendered again. (Pages count on by themselves.)"


def form_for(user: User) -> Form:
    """Return the form of the board's cards for this user."""
    return "card with terminal" if user.has_perm(USE_TERMINAL) else "card"


class RenderedCards:
    """The HTML of the cards that were shown last. Safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[str, int, dict[Form, SafeString]]] = OrderedDict()
        "Task → what it shows, its workspace, and the HTML of each form."
        self._lock = threading.Lock()

    def html(self, card: Card, form: Form) -> SafeString:
        """Return the card's HTML, which is the same for all users who see it in this form."""
        is_timed = card.since or card.link_lost or card.waits_because or card.trouble
        stamp = f"{int(time.time() // MINUTE) if is_timed else ''} {card.shown}"
        with self._lock:
            known = self._kept.get(card.task.pk)
            forms = known[2] if known and known[0] == stamp else {}
            html = forms.get(form)
        if html is None:
            html = forms[form] = _render(card, form)
        with self._lock:
            self._kept[card.task.pk] = stamp, card.task.workspace_id, forms
            self._kept.move_to_end(card.task.pk)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return html

    def forget(self, tasks: set[int]) -> None:
        """Drop the HTML of tasks that were deleted."""
        with self._lock:
            for pk in tasks & set(self._kept):
                del self._kept[pk]

    def tasks(self) -> dict[int, int]:
        """Return the tasks that were shown last, with their workspaces."""
        with self._lock:
            return {pk: workspace for pk, (_, workspace, _) in self._kept.items()}


def _render(card: Card, form: Form) -> SafeString:
    if form == "row":
        return SafeString(render_to_string("tasks/_sibling.html", {"card": card}))
    context = {"card": card, "has_terminal": form == "card with terminal"}
    return SafeString(render_to_string("tasks/_card.html", context))


kept = RenderedCards()
