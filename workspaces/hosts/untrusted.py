"""JSON that an agent could have written, made to be what its type says. Nothing here raises for its content.

Agents run as the user of hostkit, so that each of them can write into the files of its run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import (
    Any,
    Literal,
    NotRequired,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from workspaces.hostkit import wire

T = TypeVar("T")
Form = Any
"""A type as annotations have it: a class, a TypedDict, list[…], dict[str, …], Literal[…], a union."""

MAX_SEQ = 2**31 - 1
"""The largest number of an event that every database holds."""
MAX_INT = 2**53
EMPTY: dict[Form, Callable[[], object]] = {
    str: str,
    int: int,
    float: float,
    bool: bool,
    list: list,
    dict: dict,
}


class Misfit(Exception):
    """A value is not of the type."""


def fit(value: object, form: type[T]) -> T:
    """The value as this TypedDict: what is of another type is left out, or empty where it is required.

    What the type does not name stays as it is.
    """
    return cast(T, _object(value if isinstance(value, dict) else {}, form))


def events(lines: Sequence[object]) -> list[wire.RunEvent]:
    """The events among these lines of events.jsonl. Those of an unknown kind come from a newer runner."""
    numbered = (line for line in lines if isinstance(line, dict) and _is_numbered(line))
    return [
        cast("wire.RunEvent", _object(line, _kinds().get(line["kind"], wire.EventHead))) for line in numbered
    ]


def _is_numbered(line: dict[str, Any]) -> bool:
    seq = line.get("seq")
    return type(seq) is int and 0 < seq <= MAX_SEQ and isinstance(line.get("kind"), str)


@cache
def _kinds() -> dict[str, Form]:
    forms = get_args(wire.RunEvent)
    return {get_args(get_type_hints(form)["kind"])[0]: form for form in forms}


@cache
def _fields(form: Form) -> dict[str, tuple[Form, bool]]:
    """The type of each field of a TypedDict, and whether it is required."""
    found = {}
    for name, hint in get_type_hints(form, include_extras=True).items():
        is_required = get_origin(hint) is not NotRequired
        found[name] = (hint if is_required else get_args(hint)[0], is_required)
    return found


def _object(value: dict[str, Any], form: Form) -> dict[str, Any]:
    fitted = dict(value)
    for name, (kind, is_required) in _fields(form).items():
        try:
            fitted[name] = _fitted(value[name], kind)
        except (KeyError, Misfit):
            fitted.pop(name, None)
            if is_required:
                fitted[name] = _empty(kind)
    return fitted


def _fitted(value: object, form: Form) -> object:
    """Raises Misfit."""
    origin: Any = get_origin(form)
    if form in (object, Any) or (form is type(None) and value is None):
        return value
    if origin is Union:
        return _one_of(value, get_args(form))
    if origin is Literal and value in get_args(form):
        return value
    if is_typeddict(form) and isinstance(value, dict):
        return _object(value, form)
    if origin is list and isinstance(value, list):
        return _all_that_fit(value, get_args(form)[0])
    if origin is dict and isinstance(value, dict):
        kept = {name: _all_that_fit([item], get_args(form)[1]) for name, item in value.items()}
        return {name: items[0] for name, items in kept.items() if items}
    if _is_scalar(value, form):
        return value
    raise Misfit


def _one_of(value: object, forms: Sequence[Form]) -> object:
    for form in forms:
        try:
            return _fitted(value, form)
        except Misfit:
            continue
    raise Misfit


def _all_that_fit(items: list[Any], form: Form) -> list[Any]:
    fitting = []
    for item in items:
        try:
            fitting.append(_fitted(item, form))
        except Misfit:
            continue
    return fitting


def _is_scalar(value: object, form: Form) -> bool:
    if form is float:
        return type(value) in (int, float) and math.isfinite(cast(float, value))
    return type(value) is form and (form is not int or abs(cast(int, value)) <= MAX_INT)


def _empty(form: Form) -> object:
    """A required word that is none of the possible ones becomes the first of them."""
    origin: Any = get_origin(form)
    if is_typeddict(form):
        return _object({}, form)
    if origin is Literal:
        return get_args(form)[0]
    if origin is Union:
        return None if type(None) in get_args(form) else _empty(get_args(form)[0])
    return EMPTY.get(origin or form, lambda: None)()
