"""Cards, from the HTML that is kept: `{% card_html card "row" %}`."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from tasks.board import rendered
from tasks.board.cards import Card

register = template.Library()


@register.simple_tag
def card_html(card: Card, form: rendered.Form) -> SafeString:
    return rendered.kept.html(card, form)
