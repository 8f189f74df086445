"""Formatting of icons, numbers and times for pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache

from django.templatetags.static import static
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from aitask.lib import vendoring
from aitask.lib.badges import Badge

MOST_ICONS = 500
"Icons with their classes whose HTML is kept: a page has dozens."
CODE = re.compile(r"`([^`]+)`")
SENTENCE_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d UTC)\b")


@cache
def vendor(name: str, file: str) -> str:
    """Return the URL of a file of a vendored library."""
    return static(f"{vendoring.libraries()[name].url}/{file}")


@lru_cache(MOST_ICONS)
def icon(name: str, css: str = "") -> SafeString:
    """Render a vendored icon, hidden from screen readers because a text is next to it."""
    return format_html(
        '<svg class="i {}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        css,
        vendor("lucide", "sprite.svg"),
        name,
    )


def badge(shown: Badge, css: str = "", *, capital: bool = True) -> SafeString:
    """Render a badge, which has an icon besides its colour: `{% badge run_badge "filled" %}`."""
    return format_html(
        '<span class="badge {} {}"{}>{}{}</span>',
        shown.kind,
        css,
        format_html(' title="{}"', shown.title) if shown.title else "",
        icon(shown.icon, "small"),
        capfirst(shown.text) if capital else shown.text,
    )


def with_code(text: str) -> SafeString:
    """Render plain text with `code` in backticks."""
    parts = enumerate(CODE.split(str(text)))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", p) if n % 2 else p,) for n, p in parts)
    )


def short_number(value: int | None) -> str:
    """Format 12400 as 12.4k: at most four characters and a unit."""
    number = float(value or 0)
    if number < 1000:
        return f"{number:.0f}"
    power = 1 if number < 999_500 else 2 if number < 999_500_000 else 3
    number /= 1000**power
    return (f"{number:.0f}" if number >= 99.95 else f"{number:.1f}".removesuffix(".0")) + " kMG"[power]


def money(value: Decimal | None) -> str:
    """Format dollars, with two decimals."""
    if value is None:
        return ""
    return "<$0.01" if 0 < value < Decimal("0.01") else f"${value:.2f}"


def percent_of(part: int | None, whole: int | None) -> int | None:
    return round(100 * part / whole) if part and whole else None


def ago(moment: datetime | None) -> SafeString | str:
    """Render a relative time, which the page updates. The exact time is shown on hover."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" data-ago title="{}">{}</time>',
        moment.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        relative((timezone.now() - moment).total_seconds()),
    )


def at(moment: datetime | None) -> SafeString | str:
    """Render a time, which the page converts to the user's time zone, without the date if it is today."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" data-at>{}</time>', moment.isoformat(), date_format(local, "j M, H:i T")
    )


def in_words(moment: datetime) -> str:
    """Format a time in UTC for a stored sentence; `with_times` converts it for the user."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def with_times(text: str) -> SafeString:
    """Render plain text with its times (of `in_words`) like `at`."""
    parts = enumerate(SENTENCE_TIME.split(str(text)))
    return format_html_join("", "{}", ((_time_of(p) if n % 2 else p,) for n, p in parts))


def _time_of(text: str) -> SafeString | str:
    try:
        return at(datetime.strptime(text, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
    except ValueError:
        return text


def elapsed(
    start: datetime | None, end: datetime | None = None, *, by_page: bool = False
) -> SafeString | str:
    """Render a duration. Without `end` the page keeps counting.

    With `by_page` only the page writes a running duration, so that the HTML does not change meanwhile.
    """
    if start is None:
        return ""
    seconds = max(0, ((end or timezone.now()) - start).total_seconds())
    running = "" if end else format_html(' data-since="{}"', start.isoformat())
    title = timezone.localtime(start).strftime("since %Y-%m-%d %H:%M:%S %Z")
    shown = "" if running and by_page else clock(seconds)
    return format_html('<time class="num" title="{}"{}>{}</time>', title, running, shown)


def clock(seconds: float) -> str:
    """Format seconds as 59s, 12:05 (minutes) or 3:07:09 (hours)."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def relative(seconds: float) -> str:
    """Format a duration as now, 5m ago, 3h ago or 2d ago, like times.js."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if abs(seconds) >= size:
            amount = int(abs(seconds) // size)
            return f"{amount}{unit} ago" if seconds > 0 else f"in {amount}{unit}"
    return "now"
