"""The last sentence that the agent of a run has written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db.models import OuterRef, Subquery

from tasks.models import Event, Run
from workspaces.hostkit.escapes import prose

EVENTS = 200
"Events at the end of a run among which its last text is looked for."
SEARCHED, LONGEST = 4_000, 300
"Characters at the end of a text in which its last sentence is looked for, and of which that is shown."
MARKUP = re.compile(r"[*_`#>|]+")
SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=\S)")


def last_words(runs: Sequence[Run]) -> dict[int, str]:
    """Return the last sentence of each run that has any, with one query however many runs there are."""
    texts = Event.objects.filter(run=OuterRef("pk"), kind="text", seq__gt=OuterRef("last_seq") - EVENTS)
    own = texts.filter(data__parent__isnull=True).order_by("-seq").values("pk")[:1]
    newest = Run.objects.filter(pk__in=[run.pk for run in runs]).order_by().values_list(Subquery(own))
    rows = Event.objects.filter(pk__in=newest).order_by().values_list("run_id", "data")
    return {run: sentence for run, data in rows if (sentence := last_sentence(str(data.get("text") or "")))}


def last_sentence(text: str) -> str:
    """Return the last sentence of a Markdown text without its markup, in one line."""
    plain = MARKUP.sub("", text[-SEARCHED:])
    lines = [" ".join(line.split()) for line in plain.splitlines()]
    last = next((line for line in reversed(lines) if any(map(str.isalnum, line))), "")
    sentence = prose(SENTENCE_END.split(last)[-1])
    return sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST]}…"
