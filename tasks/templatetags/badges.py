"""Badges of runs, merge steps, merge trains, verdicts and messages: `{% run_badge run %}`.

`{{ change|in_words }}` is the sentence about a change outside a run.
"""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from aitask.lib.formats import badge
from tasks import badges
from tasks.models import MergeStep, MergeTrain, Outgoing, Run, Verdict
from tasks.rendering.outside import in_words

register = template.Library()
register.filter(in_words)


@register.simple_tag
def run_badge(run: Run, css: str = "") -> SafeString:
    return badge(badges.run_badge(run), css)


@register.simple_tag
def step_badge(step: MergeStep, css: str = "") -> SafeString:
    return badge(badges.step_badge(step), css)


@register.simple_tag
def train_badge(train: MergeTrain, css: str = "") -> SafeString:
    return badge(badges.train_badge(train), css)


@register.simple_tag
def verdict_badge(verdict: Verdict, css: str = "") -> SafeString:
    return badge(badges.VERDICTS[verdict.kind], css)


@register.simple_tag
def message_badge(row: Outgoing, css: str = "") -> SafeString:
    return badge(badges.message_badge(row), css)
