"""Rendered requests, kept by what they show: a page of requests is mostly the same as the one before."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from django.utils.safestring import SafeString

MOST_KEPT = 500
"Maximum number of requests of which HTML is kept."
LONGEST_KEPT = 50_000
"Characters of HTML that are kept of a request. Longer ones are rendered each time."


class RenderedRequests:
    """The HTML of the requests that were shown last, by all that it depends on. Safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, SafeString] = OrderedDict()
        self._lock = threading.Lock()

    def html(self, shows: Any, render: Callable[[], SafeString]) -> SafeString:
        """Return the HTML of a request. `shows` is everything that it depends on, as JSON."""
        try:
            key = json.dumps(shows)
        except RecursionError:
            return render()
        with self._lock:
            known = self._kept.get(key)
        html = render() if known is None else known
        if len(html) <= LONGEST_KEPT and len(key) <= LONGEST_KEPT:
            with self._lock:
                self._kept[key] = html
                self._kept.move_to_end(key)
                if len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return html


kept = RenderedRequests()
