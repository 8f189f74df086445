"""Icons, numbers and times as pages show them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from django.templatetags.static import static
from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from aitask.lib import vendoring
from aitask.lib.badges import Badge

TICKED = re.compile(r"`([^`]+)`")
WORDED = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d UTC)\b")


def vendor(name: str, file: str) -> str:
    """The address of a file of a vendored library."""
    return static(f"{vendoring.libraries()[name].url}/{file}")


def icon(name: str, css: str = "") -> SafeString:
    """One icon of the kept set, hidden from screen readers: the words stand beside it."""
    return format_html(
        '<svg class="i {}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        css,
        vendor("lucide", "sprite.svg"),
        name,
    )


def badge(shown: Badge, css: str = "", *, capital: bool = True) -> SafeString:
    """A state in a word, told by icon as well as by colour; `{% badge run_badge "filled" %}`."""
    return format_html(
        '<span class="badge {} {}"{}>{}{}</span>',
        shown.kind,
        css,
        format_html(' title="{}"', shown.title) if shown.title else "",
        icon(shown.icon, "small"),
        capfirst(shown.text) if capital else shown.text,
    )


def with_code(text: str) -> SafeString:
    """Plain words in which `ticks` mark what is to be typed."""
    parts = enumerate(TICKED.split(str(text)))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", p) if n % 2 else p,) for n, p in parts)
    )


def short_number(value: int | None) -> str:
    """12400 → 12.4k; at most four figures, so that columns stay narrow."""
    number = float(value or 0)
    if number < 1000:
        return f"{number:.0f}"
    power = 1 if number < 999_500 else 2 if number < 999_500_000 else 3
    number /= 1000**power
    return (f"{number:.0f}" if number >= 99.95 else f"{number:.1f}".removesuffix(".0")) + " kMG"[power]


def money(value: Decimal | None) -> str:
    """Dollars, with cents as far as they say something."""
    if value is None:
        return ""
    return "<$0.01" if 0 < value < Decimal("0.01") else f"${value:.2f}"


def percent_of(part: int | None, whole: int | None) -> int | None:
    return round(100 * part / whole) if part and whole else None


def ago(moment: datetime | None) -> SafeString | str:
    """A relative time that the page keeps up to date; the exact one shows on hover."""
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
    """A time of day; the page turns it into the reader's zone and leaves today's date out."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" data-at>{}</time>', moment.isoformat(), date_format(local, "j M, H:i T")
    )


def in_words(moment: datetime) -> str:
    """A time within a sentence that is kept and that people of any zone read; see `with_times`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def with_times(text: str) -> SafeString:
    """Plain words, the times in them (`in_words`) as `at` shows them."""
    parts = enumerate(WORDED.split(str(text)))
    return format_html_join("", "{}", ((_time_of(p) if n % 2 else p,) for n, p in parts))


def _time_of(words: str) -> SafeString | str:
    try:
        return at(datetime.strptime(words, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
    except ValueError:
        return words


def elapsed(
    start: datetime | None, end: datetime | None = None, *, by_page: bool = False
) -> SafeString | str:
    """How long something lasts; goes on counting in the page when it has no end.

    With `by_page` the page alone writes the running time, so that the HTML stays the same meanwhile.
    """
    if start is None:
        return ""
    seconds = max(0, ((end or timezone.now()) - start).total_seconds())
    running = "" if end else format_html(' data-since="{}"', start.isoformat())
    title = timezone.localtime(start).strftime("since %Y-%m-%d %H:%M:%S %Z")
    shown = "" if running and by_page else clock(seconds)
    return format_html('<time class="num" title="{}"{}>{}</time>', title, running, shown)


def clock(seconds: float) -> str:
    """59 s, 12:05 (minutes), 3:07:09 (hours)."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def relative(seconds: float) -> str:
    """Now, 5m ago, 3h ago, 2d ago; the same words as in times.js."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if abs(seconds) >= size:
            amount = int(abs(seconds) // size)
            return f"{amount}{unit} ago" if seconds > 0 else f"in {amount}{unit}"
    return "now"
