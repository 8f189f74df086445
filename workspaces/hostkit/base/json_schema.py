"""Whether a value fits any JSON Schema: for forms of MCP servers that can't be shown as fields.

A server writes its schema, and anybody may have written the server: the work is bounded, references lead
only into the schema itself, and patterns are tried in a process of their own. Keywords that are not known
here, and patterns that can't be tried, limit nothing.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .consent import plain_numbers
from .forms import FORMATS
from .patterns import matches

MAX_STEPS = 20_000
"""Parts of a schema that are compared with parts of a value."""
MAX_DEPTH = 60
MAX_PROBLEMS = 20
ROUNDS = 4
"""How often patterns are tried: which of them count may depend on other ones."""
Problem = Tuple[str, str]
"""Where in the value something does not fit, such as `rooms[0].name`, and what."""
Pairs = Sequence[Tuple[str, str]]
Number = (int, float)


class TooComplex(Exception):
    """The schema takes too many steps to be checked."""


def misfits(
    schema: object, value: object, match: Callable[[Pairs], List[Optional[bool]]] = matches
) -> Dict[str, str]:
    """Return what does not fit, as a sentence by its place ("": the whole value); empty if the value fits."""
    known: Dict[Tuple[str, str], Optional[bool]] = {}
    found: List[Problem] = []
    try:
        for _ in range(ROUNDS):
            check = _Check(schema, known)
            found = check.problems(schema, value, "", 0)
            if not check.wanted:
                break
            wanted = sorted(check.wanted)
            answers = match(wanted)
            known.update({pair: answers[at] for at, pair in enumerate(wanted)})
    except (TooComplex, RecursionError):
        return {"": "The schema is too complex to be checked, so that no answer can be sent."}
    first: Dict[str, str] = {}
    for place, text in found[:MAX_PROBLEMS]:
        first.setdefault(place, text)
    return first


def resolved(root: object, schema: object) -> object:
    """Return what a schema refers to, or the schema itself. A reference that leads nowhere limits nothing."""
    for _ in range(MAX_DEPTH):
        name = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(name, str):
            return schema
        schema = _target(root, name)
    return True


def _target(root: object, name: str) -> object:
    if not name.startswith("#"):
        return True
    found: Any = root
    for word in filter(None, name[1:].split("/")):
        word = word.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and word in found:
            found = found[word]
        elif isinstance(found, list) and word.isdigit() and int(word) < len(found):
            found = found[int(word)]
        else:
            return True
    return found


def _same(first: object, second: object) -> bool:
    return _canonical(first) == _canonical(second)


def _canonical(value: object) -> str:
    return json.dumps(plain_numbers(value), sort_keys=True)


def _is_number(value: object) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


TYPES: Dict[str, Tuple[Callable[[Any], bool], str]] = {
    "object": (lambda value: isinstance(value, dict), "an object"),
    "array": (lambda value: isinstance(value, list), "a list"),
    "string": (lambda value: isinstance(value, str), "a text"),
    "integer": (_is_whole, "a whole number"),
    "number": (_is_number, "a number"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "null": (lambda value: value is None, "null"),
}
LIMITS: Dict[str, Tuple[str, Callable[[Any, Any], bool], str]] = {
    "minLength": ("string", lambda value, limit: len(value) >= limit, "It must have at least {} characters."),
    "maxLength": ("string", lambda value, limit: len(value) <= limit, "It must have at most {} characters."),
    "minimum": ("number", lambda value, limit: value >= limit, "It must be at least {}."),
    "maximum": ("number", lambda value, limit: value <= limit, "It must be at most {}."),
    "exclusiveMinimum": ("number", lambda value, limit: value > limit, "It must be more than {}."),
    "exclusiveMaximum": ("number", lambda value, limit: value < limit, "It must be less than {}."),
    "multipleOf": (
        "number",
        lambda value, limit: limit <= 0 or abs(value / limit - round(value / limit)) < 1e-9,
        "It must be a multiple of {}.",
    ),
    "minItems": ("array", lambda value, limit: len(value) >= limit, "It must have at least {} items."),
    "maxItems": ("array", lambda value, limit: len(value) <= limit, "It must have at most {} items."),
    "minProperties": ("object", lambda value, limit: len(value) >= limit, "It must have at least {} fields."),
    "maxProperties": ("object", lambda value, limit: len(value) <= limit, "It must have at most {} fields."),
}
"""Keywords with a number: the type that they limit, whether a value fits, and what it must be."""


class _Check:
    """One pass through a value. `wanted` gets the patterns that are not known yet, which count as fitting."""

    def __init__(self, root: object, known: Mapping[Tuple[str, str], Optional[bool]]) -> None:
        self.wanted: Set[Tuple[str, str]] = set()
        self._root = root
        self._known = known
        self._steps = 0

    def problems(self, schema: object, value: object, place: str, depth: int) -> List[Problem]:
        """Return what does not fit. All branches are looked at, so that all patterns are known at once."""
        self._steps += 1
        if self._steps > MAX_STEPS or depth > MAX_DEPTH:
            raise TooComplex
        if schema is False:
            return [(place, "It must not be there.")]
        if not isinstance(schema, dict):
            return []
        found: List[Problem] = []
        if isinstance(schema.get("$ref"), str):
            target = _target(self._root, schema["$ref"])
            found += self.problems(target, value, place, depth + 1)
        found += [(place, text) for text in _plain_problems(schema, value)]
        if isinstance(value, str):
            found += self._text(schema, value, place)
        elif isinstance(value, dict):
            found += self._object(schema, value, place, depth + 1)
        elif isinstance(value, list):
            found += self._list(schema, value, place, depth + 1)
        return found + self._combined(schema, value, place, depth + 1)

    def _matches(self, pattern: str, text: str) -> bool:
        if (pattern, text) not in self._known:
            self.wanted.add((pattern, text))
        return self._known.get((pattern, text)) is not False

    def _text(self, schema: Dict[str, Any], value: str, place: str) -> List[Problem]:
        pattern, fits = schema.get("pattern"), FORMATS.get(str(schema.get("format")))
        found = [(place, fits[1])] if fits and not fits[0](value) else []
        if isinstance(pattern, str) and not self._matches(pattern, value):
            found.append((place, f"It does not match the pattern {pattern[:200]}"))
        return found

    def _object(self, schema: Dict[str, Any], value: Dict[str, Any], place: str, depth: int) -> List[Problem]:
        missing = [name for name in _names(schema, "required") if name not in value]
        found: List[Problem] = [(_below(place, name), "It is required.") for name in missing]
        dependent = _dict(schema, "dependentRequired")
        for name in filter(value.__contains__, dependent):
            lacks = [other for other in _names(dependent, name) if other not in value]
            found += [(_below(place, other), f"It is required with {name}.") for other in lacks]
        for name, each in _dict(schema, "dependentSchemas").items():
            found += self.problems(each, value, place, depth) if name in value else []
        for name, item in value.items():
            for each in self._schemas_of(schema, name):
                found += self.problems(each, item, _below(place, name), depth)
            found += self.problems(schema.get("propertyNames"), name, _below(place, name), depth)
        return found

    def _schemas_of(self, schema: Dict[str, Any], name: str) -> List[object]:
        """Return what the value of this field must fit."""
        properties, patterns = _dict(schema, "properties"), _dict(schema, "patternProperties")
        found: List[object] = [properties[name]] if name in properties else []
        found += [each for pattern, each in patterns.items() if self._matches(pattern, name)]
        return found or [schema.get("additionalProperties")]

    def _list(self, schema: Dict[str, Any], value: List[Any], place: str, depth: int) -> List[Problem]:
        items, first = schema.get("items"), schema.get("prefixItems")
        if isinstance(items, list):  # before 2020-12
            items, first = schema.get("additionalItems"), items
        first = first if isinstance(first, list) else []
        found: List[Problem] = []
        for at, item in enumerate(value):
            each = first[at] if at < len(first) else items
            found += self.problems(each, item, f"{place}[{at}]", depth)
        if schema.get("uniqueItems") is True and len({_canonical(item) for item in value}) < len(value):
            found.append((place, "It has an item twice."))
        if "contains" in schema:
            fitting = [item for item in value if not self.problems(schema["contains"], item, place, depth)]
            least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
            if _is_number(least) and _is_number(most) and not least <= len(fitting) <= most:
                found.append((place, f"{len(fitting)} of its items are of the kind that it must have."))
        return found

    def _combined(self, schema: Dict[str, Any], value: object, place: str, depth: int) -> List[Problem]:
        tried = {
            word: [self.problems(each, value, place, depth) for each in _list(schema, word)]
            for word in ("allOf", "anyOf", "oneOf")
        }
        found = [problem for each in tried["allOf"] for problem in each]
        for word in ("anyOf", "oneOf"):
            fits = [problems for problems in tried[word] if not problems]
            if tried[word] and not fits:
                found += tried[word][0] if len(tried[word]) == 1 else [_no_alternative(place, tried[word])]
            elif word == "oneOf" and len(fits) > 1:
                found.append(
                    (place, f"It fits {len(fits)} of {len(tried[word])} alternatives, not just one.")
                )
        if "not" in schema and not self.problems(schema["not"], value, place, depth):
            found.append((place, "It must not be like this."))
        if "if" in schema:
            condition = not self.problems(schema["if"], value, place, depth)
            branches = {
                word: self.problems(schema.get(word), value, place, depth) for word in ("then", "else")
            }
            found += branches["then" if condition else "else"]
        return found


def _plain_problems(schema: Dict[str, Any], value: object) -> List[str]:
    """Return what is wrong with a value by its type, its limits and the values that are possible."""
    found = []
    kind = schema.get("type")
    names = [name for name in ([kind] if isinstance(kind, str) else _names(schema, "type")) if name in TYPES]
    if names and not any(TYPES[name][0](value) for name in names):
        return [f"It must be {' or '.join(TYPES[name][1] for name in names)}."]
    possible = _list(schema, "enum") or ([schema["const"]] if "const" in schema else [])
    if possible and not any(_same(value, each) for each in possible):
        shown = ", ".join(json.dumps(each, ensure_ascii=False)[:60] for each in possible[:10])
        found.append(f"It must be {'one of ' if len(possible) > 1 else ''}{shown}.")
    for word, (kind, fits, text) in LIMITS.items():
        limit = schema.get(word)
        if _is_number(limit) and TYPES[kind][0](value) and not _fits(fits, value, limit):
            found.append(text.format(limit))
    return found


def _fits(fits: Callable[[Any, Any], bool], value: object, limit: object) -> bool:
    try:
        return fits(value, limit)
    except (OverflowError, ValueError):  # numbers that can't be divided
        return True


def _no_alternative(place: str, tried: List[List[Problem]]) -> Problem:
    where, why = tried[0][0]
    where = where[len(place) :].lstrip(".")
    first = f"{where}: {why}" if where else why
    return place, f"It fits none of {len(tried)} alternatives. Of the first: {first}"


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _dict(schema: Dict[str, Any], word: str) -> Dict[str, Any]:
    found = schema.get(word)
    return found if isinstance(found, dict) else {}


def _list(schema: Dict[str, Any], word: str) -> List[Any]:
    found = schema.get(word)
    return found if isinstance(found, list) else []


def _names(schema: Dict[str, Any], word: str) -> List[str]:
    return [each for each in _list(schema, word) if isinstance(each, str)]
