"""The forms of MCP servers: the fields that a schema asks for, and whether values fit them.

MCP allows only a flat object of texts, numbers, yes or no, and choices, so that no general JSON Schema is
needed. A server writes its schema, and anybody may have written the server: what is too large, too deep or of
another structure is no form, and `fields_of` says why. Patterns are tried in a process of their own.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..wire import Json
from .patterns import matches

MAX_SCHEMA = 48 * 1024
"""Characters of a schema as JSON: it is a part of an event."""
MAX_FIELDS = 60
MAX_OPTIONS = 200
MAX_CONTENT = 64 * 1024
"""Characters of an answer as JSON."""
MAX_DIGITS = 40
"""Characters of a number that somebody types."""
KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
NOT_READ = (
    *("$ref", "allOf", "not", "if", "const", "multipleOf", "properties", "patternProperties"),
    *("dependentRequired", "dependentSchemas", "contains", "minProperties", "maxProperties", "propertyNames"),
)
"""Keywords that would limit the values in ways that a form does not know."""
SECRET_FORMATS = ("password", "secret")
SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|secret|token\b|credential|(?:api|private|access)[ _-]?key|\bpin\b",
    re.IGNORECASE,
)
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}:[^\s<>\"]+")
DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ]([01]\d|2[0-3]):[0-5]\d(:[0-6]\d(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})"
)
WORDS = {
    **dict.fromkeys(("true", "on", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "off", "no", "n", "0", ""), False),
}
HIDDEN_VALUE = "(not recorded)"
"""Stands for the value of a secret field wherever answers are recorded."""


class NotAForm(Exception):
    """A schema that can't be shown as a form. The message is the end of a sentence that says why."""


class FormOption(NamedTuple):
    """One of the values of a choice, and how it is called."""

    value: Any
    label: str


class FormField(NamedTuple):
    """One field of a form."""

    name: str
    kind: str
    "text, integer, number, boolean, choice (one of the options) or choices (any of them)."
    label: str
    description: str = ""
    required: bool = False
    default: Any = None
    options: Tuple[FormOption, ...] = ()
    least: Optional[float] = None
    most: Optional[float] = None
    "Limits of a number, of the length of a text, or of how many options are chosen."
    above: Optional[float] = None
    below: Optional[float] = None
    "Limits that a number itself must not reach."
    format: str = ""
    pattern: str = ""
    secret: bool = False


def fields_of(schema: object, order: object = ()) -> List[FormField]:
    """Return the fields that a schema asks for, in the given order of names. Raises NotAForm."""
    properties, required = _checked(schema)
    given = order if isinstance(order, (list, tuple)) else ()
    first = [name for name in given if isinstance(name, str) and name in properties]
    names = list(dict.fromkeys([*first, *properties]))
    return [_field(name, properties[name], name in required) for name in names]


def _checked(schema: object) -> Tuple[Dict[str, Any], List[Any]]:
    """Return properties and required names. Raises NotAForm if they are not those of a form."""
    try:
        size = len(json.dumps(schema))
    except (RecursionError, ValueError, TypeError):
        raise NotAForm("its schema is nested too deeply") from None
    if size > MAX_SCHEMA:
        raise NotAForm(f"its schema has {size:,} characters")
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise NotAForm("its schema is not that of an object")
    properties, required = schema.get("properties", {}), schema.get("required") or []
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise NotAForm("its schema is not valid")
    if len(properties) > MAX_FIELDS:
        raise NotAForm(f"it has {len(properties):,} fields")
    unread = [word for word in (*NOT_READ, "anyOf", "oneOf") if word in schema and word != "properties"]
    if unread:
        raise NotAForm(f"its schema uses “{unread[0]}”")
    missing = [name for name in required if not isinstance(name, str) or name not in properties]
    if missing:
        raise NotAForm("it requires fields that it does not have")
    return properties, required


def _field(name: str, given: object, required: bool) -> FormField:
    about, nullable = _without_null(given)
    if not isinstance(about, dict):
        raise NotAForm(f"the field “{name[:100]}” is not valid")
    unread = [word for word in NOT_READ if word in about]
    if unread:
        raise NotAForm(f"the field “{name[:100]}” uses “{unread[0]}”")
    field = _typed(name, about)
    both = f"{field.label} {name}"
    secret = field.kind == "text" and (
        field.format in SECRET_FORMATS or about.get("writeOnly") is True or bool(SECRET_NAME.search(both))
    )
    field = field._replace(required=required and not nullable, secret=secret)
    default = about.get("default")
    fits = default is not None and not secret and not _problem_of(field, default)
    return field._replace(default=default if fits else None)


def _without_null(given: object) -> Tuple[object, bool]:
    """Return a property without `null` as an alternative, and whether it was one."""
    if not isinstance(given, dict):
        return given, False
    kinds, others = given.get("type"), given.get("anyOf")
    if isinstance(kinds, list):
        kept = [kind for kind in kinds if kind != "null"]
        return {**given, "type": kept[0] if len(kept) == 1 else None}, "null" in kinds
    if isinstance(others, list) and {"type": "null"} in others and len(others) == 2:
        other = next((each for each in others if each != {"type": "null"}), None)
        outer = {word: value for word, value in given.items() if word != "anyOf"}
        return {**outer, **other} if isinstance(other, dict) else None, True
    return given, False


def _typed(name: str, about: Json) -> FormField:
    kind, options = about.get("type"), _options(about, "oneOf")
    label, description = _text(about.get("title")) or name, _text(about.get("description"))
    if kind == "array":
        items = about.get("items")
        inner = _options(items, "anyOf") or _options(items, "oneOf") if isinstance(items, dict) else ()
        if not inner:
            raise NotAForm(f"the field “{name[:100]}” is a list without choices")
        least, most = _number(about.get("minItems")), _number(about.get("maxItems"))
        return FormField(name, "choices", label, description, options=inner, least=least, most=most)
    if options and (kind is None or kind in KINDS):
        return FormField(name, "choice", label, description, options=options)
    if not isinstance(kind, str) or kind not in KINDS or "anyOf" in about or "oneOf" in about:
        raise NotAForm(f"the field “{name[:100]}” is not a text, a number, a choice, or yes or no")
    field = FormField(name, KINDS[kind], label, description)
    if kind == "string":
        field = field._replace(least=_number(about.get("minLength")), most=_number(about.get("maxLength")))
        return field._replace(format=_text(about.get("format")), pattern=_text(about.get("pattern")))
    field = field._replace(least=_number(about.get("minimum")), most=_number(about.get("maximum")))
    above, below = about.get("exclusiveMinimum"), about.get("exclusiveMaximum")
    return field._replace(above=_number(above), below=_number(below))


def _options(about: Json, word: str) -> Tuple[FormOption, ...]:
    """Return the options of `enum` (with `enumNames`), or those of a list {const, title}; else none."""
    values, names = about.get("enum"), about.get("enumNames")
    if isinstance(values, list):
        titled = isinstance(names, list) and len(names) == len(values)
        titles = [_text(name) for name in names] if isinstance(names, list) and titled else [""] * len(values)
        found = [FormOption(value, titles[place] or str(value)) for place, value in enumerate(values)]
    else:
        listed = about.get(word)
        alike = isinstance(listed, list) and all(
            isinstance(each, dict) and "const" in each for each in listed
        )
        pairs = listed if isinstance(listed, list) and alike else []
        found = [FormOption(each["const"], _text(each.get("title")) or str(each["const"])) for each in pairs]
    if len(found) > MAX_OPTIONS or not all(isinstance(each.value, (str, int, float)) for each in found):
        raise NotAForm("a choice has too many options, or some that are no texts or numbers")
    return tuple(found)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> Optional[float]:
    """Return a limit; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) and abs(value) < 10**15 else _finite(value)


def _finite(value: float) -> Optional[float]:
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


# values


def size_problem(content: object) -> str:
    """Return that an answer is too long, or can't be sent as JSON; empty if it can."""
    try:
        too_long = len(json.dumps(content)) > MAX_CONTENT
    except (RecursionError, ValueError, TypeError):
        too_long = True
    return f"The answer is too long: at most {MAX_CONTENT:,} characters can be sent." if too_long else ""


def problems_of(
    fields: Sequence[FormField],
    content: object,
    match: Callable[[List[Tuple[str, str]]], List[Optional[bool]]] = matches,
) -> Dict[str, str]:
    """Return what is wrong with an answer, as a sentence by field; empty if it fits.

    The name "" stands for the answer as a whole. A pattern that is invalid or takes too long is not checked.
    """
    if not isinstance(content, dict):
        return {"": "The answer is not an object."}
    if problem := size_problem(content):
        return {"": problem}
    known = {field.name: field for field in fields}
    found = {str(name): "There is no such field." for name in content if name not in known}
    for name, field in known.items():
        problem = _problem_of(field, content[name]) if name in content else _missing(field)
        if problem:
            found[name] = problem
    return {**_mismatches(known, content, found, match), **found}


def _missing(field: FormField) -> str:
    return "This field is required." if field.required else ""


def _mismatches(
    known: Mapping[str, FormField],
    content: Json,
    found: Mapping[str, str],
    match: Callable[[List[Tuple[str, str]]], List[Optional[bool]]],
) -> Dict[str, str]:
    tried = [name for name in content if name in known and known[name].pattern and name not in found]
    answers = match([(known[name].pattern, content[name]) for name in tried]) if tried else []
    return {
        name: f"It does not match the pattern {known[name].pattern[:200]}"
        for place, name in enumerate(tried)
        if answers[place] is False
    }


def _problem_of(field: FormField, value: Any) -> str:
    """Return what is wrong with a value, except for its pattern."""
    if field.kind == "boolean":
        return "" if isinstance(value, bool) else "Answer with yes or no."
    if field.kind == "choice":
        return "" if _is_option(field, value) else "Choose one of the options."
    if field.kind == "choices":
        return _problem_of_choices(field, value)
    if field.kind == "text":
        return _problem_of_text(field, value)
    return _problem_of_number(field, value)


def _is_option(field: FormField, value: Any) -> bool:
    return any(type(each.value) is type(value) and each.value == value for each in field.options)


def _problem_of_choices(field: FormField, value: Any) -> str:
    if not isinstance(value, list) or not all(_is_option(field, each) for each in value):
        return "Choose from the options."
    if any(each in value[:place] for place, each in enumerate(value)):
        return "An option is chosen twice."
    if field.least is not None and len(value) < field.least:
        return f"Choose at least {field.least:g}."
    too_many = field.most is not None and len(value) > field.most
    return f"Choose at most {field.most:g}." if too_many else ""


def _problem_of_text(field: FormField, value: Any) -> str:
    if not isinstance(value, str):
        return "Enter a text."
    if field.least is not None and len(value) < field.least:
        return f"Enter at least {field.least:g} character{'' if field.least == 1 else 's'}."
    if field.most is not None and len(value) > field.most:
        return (
            f"Enter at most {field.most:g} character{'' if field.most == 1 else 's'}; these are {len(value)}."
        )
    check, problem = FORMATS.get(field.format, (None, ""))
    return problem if check and not check(value) else ""


def _is_date(text: str) -> bool:
    found = DAY.fullmatch(text)
    try:
        return bool(found and date(*map(int, found.groups())))
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    found = MOMENT.fullmatch(text)
    return bool(found and _is_date(found.group(1)))


FORMATS: Dict[str, Tuple[Callable[[str], bool], str]] = {
    "email": (lambda text: bool(EMAIL.fullmatch(text)), "Enter an email address, such as ada@example.com."),
    "uri": (
        lambda text: bool(ADDRESS.fullmatch(text)),
        "Enter an address with its scheme: https://example.com.",
    ),
    "date": (_is_date, "Enter a date, such as 2026-01-31."),
    "date-time": (_is_moment, "Enter date, time and zone, such as 2026-01-31T14:30:00Z."),
}


def _problem_of_number(field: FormField, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "Enter a number."
    if isinstance(value, float) and not math.isfinite(value):
        return "Enter a number."
    if field.kind == "integer" and value != int(value):
        return "Enter a whole number."
    if field.least is not None and value < field.least:
        return f"Enter at least {field.least:g}."
    if field.most is not None and value > field.most:
        return f"Enter at most {field.most:g}."
    if field.above is not None and value <= field.above:
        return f"Enter more than {field.above:g}."
    if field.below is not None and value >= field.below:
        return f"Enter less than {field.below:g}."
    return ""


def content_of(fields: Sequence[FormField], typed: Mapping[str, Sequence[str]]) -> Json:
    """Return what somebody has typed or chosen as values. An option is named by its value as a text.

    An empty optional field is omitted, and so is an empty required one: an answer without it does not fit. A
    text that is no number stays a text, which does not fit either.
    """
    content: Json = {}
    for field in fields:
        texts = typed.get(field.name)
        if field.kind == "boolean":
            word = texts[0] if texts else ""
            content[field.name] = WORDS.get(word.strip().lower(), word)
        elif field.kind == "choices":
            chosen = [_option_named(field, text) for text in texts or () if text]
            if chosen or field.required or field.least:
                content[field.name] = chosen
        elif texts and texts[0] != "":
            content[field.name] = _value(field, texts[0])
    return content


def _option_named(field: FormField, text: str) -> Any:
    return next((each.value for each in field.options if str(each.value) == text), text)


def _value(field: FormField, text: str) -> Any:
    if field.kind == "choice":
        return _option_named(field, text)
    if field.kind == "text":
        return text
    plain = text.strip().replace("_", "x")
    try:
        if len(plain) > MAX_DIGITS:
            return text
        return int(plain) if re.fullmatch(r"[+-]?\d+", plain) else float(plain)
    except ValueError:
        return text
