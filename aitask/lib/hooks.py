"""Hooks: lower layers call functions of upper layers without importing them. `apps.py` joins them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec

Arguments = ParamSpec("Arguments")


class Hook(Generic[Arguments]):
    """Functions that are called one after another, in the order in which they joined.

    An exception of one of them is raised in the caller.
    """

    def __init__(self) -> None:
        self._functions: list[Callable[Arguments, object]] = []

    def join(self, function: Callable[Arguments, object]) -> None:
        if function not in self._functions:
            self._functions.append(function)

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        for function in self._functions:
            function(*args, **kwargs)
