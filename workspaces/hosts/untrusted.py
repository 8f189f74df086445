"""JSON that an agent could have written, made to be what its type says.

Agents run as the user of hostkit, so that each of them can write into the files of its run.
"""

from __future__ import annotations

import json
import re
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

from aitask.lib.text import storable
from aitask.lib.untrusted_json import MAX_DEPTH, is_deeper
from workspaces.hostkit import wire

T = TypeVar("T")
Form = Any
"""A type as annotations have it: a class, a TypedDict, list[…], dict[str, …], Literal[…], a union."""

MAX_QUOTED = 4000
MAX_SEQ = 2**31 - 1
"""The largest number of an event that every database holds."""
MAX_GAP = 10_000
"""How many lines may have been lost at once, as by a power cut; a higher number is invented."""
MAX_INT = 10**12
MAX_FLOAT = 1e9
"""The largest numbers in an event. Sums of them still fit into columns."""
REQUEST_ID = re.compile(r"[^\x00-\x20\x7f-\xa0\u2028\u2029]{1,100}")
"""Ids of requests are part of URLs."""
EMPTY: dict[Form, Callable[[], object]] = {
    str: str,
    int: int,
    float: float,
    bool: bool,
    list: list,
    dict: dict,
}


class Misfit(Exception):
    """A value is not of the type. The message says why."""


def fit(value: object, form: type[T]) -> T:
    """The value as this TypedDict: what is of another type is left out, or empty where it is required.

    What the type does not name stays as it is. Never raises for the content of the value.
    """
    given = value if isinstance(value, dict) and not is_deeper(value, MAX_DEPTH) else {}
    return cast(T, _object(cast(dict[str, Any], storable(given)), form))


def event(line: object, *, at_least: int = 1) -> wire.RunEvent:
    """The event in a line of events.jsonl. One of an unknown kind comes from a newer runner.

    `at_least` is the lowest number that a new event can have. Raises Misfit for anything else than an event.
    """
    if not isinstance(line, dict):
        raise Misfit("It is no object.")
    if is_deeper(line, MAX_DEPTH):
        raise Misfit(f"It is nested in more than {MAX_DEPTH} levels.")
    fields: dict[str, Any] = storable(line)
    kind, seq = fields.get("kind"), fields.get("seq")
    if type(seq) is not int or not 0 < seq <= MAX_SEQ:
        raise Misfit("It has no number.")
    if not at_least <= seq <= at_least + MAX_GAP:
        raise Misfit(f"Its number is {seq}, in place of {at_least}.")
    if not isinstance(kind, str) or not kind:
        raise Misfit("It has no kind.")
    if kind == "request" and not REQUEST_ID.fullmatch(str(fields.get("id") or "")):
        raise Misfit("It is a request without a valid id.")
    return cast("wire.RunEvent", _object(fields, _kinds().get(kind, wire.EventHead)))


def quoted(line: object) -> str:
    """The beginning of a line that is no event, as text."""
    if isinstance(line, dict) and line.keys() == {"kind", "line"} and isinstance(line["line"], str):
        text = line["line"]  # hostkit has quoted it
    elif is_deeper(line, MAX_DEPTH):
        text = "(nested too deep)"
    else:
        text = json.dumps(line, ensure_ascii=False, default=str)
    return cast(str, storable(text[:MAX_QUOTED]))


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
        return type(value) in (int, float) and abs(cast(float, value)) <= MAX_FLOAT
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
