"""Work on text that anybody could have written, in processes of its own with a limit of time and memory.

Colours, Markdown and comparisons need exponential or quadratic time for some texts, and Python's `re` keeps
the interpreter's lock meanwhile. `ask` has them computed by a helper process, which is killed at a limit.
`program` is what a helper runs, `pool` keeps helpers, and `answers` remembers what they answered.
"""

from __future__ import annotations

import os
from typing import Any

from aitask.lib.helper.pool import HelperPool

__all__ = ["ask"]

_pool = HelperPool()


def ask(operation: str, *arguments: str) -> Any:
    """Return the result of an operation of `program`; None, or a part of it, if it takes too long.

    Takes less than a second, whatever the arguments are. Thread-safe.
    """
    return _pool.ask(operation, *arguments)


def _forget_parents_pool() -> None:
    """Start with a new pool in a forked child: the helpers belong to its parent."""
    global _pool
    _pool.leave()
    _pool = HelperPool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_pool)
