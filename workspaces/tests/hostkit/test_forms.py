"""The forms of MCP servers: which schemas are forms, and which answers fit them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspaces.hostkit.base.forms import (
    HIDDEN_VALUE,
    MAX_FIELDS,
    NotAForm,
    content_of,
    fields_of,
    problems_of,
)
from workspaces.hostkit.base.submission import recorded_content

Json = dict[str, Any]
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "minLength": 2, "maxLength": 5},
        "mail": {"type": "string", "format": "email"},
        "site": {"type": "string", "format": "uri"},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "count": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "sure": {"type": "boolean", "default": True},
        "env": {"type": "string", "enum": ["dev", "prod"], "enumNames": ["Development", "Production"]},
        "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "m"}]},
        "tags": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {"anyOf": [{"const": "a", "title": "A"}, {"const": "b", "title": "B"}, {"const": "c"}]},
        },
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["name", "sure", "maybe"],
}


def problem(name: str, value: Any) -> str:
    return problems_of(fields_of(SCHEMA), {"name": "Ann", "sure": True, name: value}).get(name, "")


def test_every_kind_of_field_is_read() -> None:
    fields = {field.name: field for field in fields_of(SCHEMA, ["sure", "name", "gone"])}
    assert list(fields)[:3] == ["sure", "name", "mail"]
    assert [fields[name].kind for name in ("name", "count", "share", "sure", "env", "tags")] == [
        *("text", "integer", "number", "boolean", "choice", "choices")
    ]
    assert [option.label for option in fields["env"].options] == ["Development", "Production"]
    assert [option.label for option in fields["size"].options] == ["Small", "m"]
    assert (fields["count"].default, fields["sure"].default) == (2, True)
    assert [name for name, field in fields.items() if field.required] == ["sure", "name"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("name", ["Al", "12345", "éé"], ["A", "123456", 5, None, True, ["Al"]]),
        ("mail", ["a@b.c"], ["a", "a@", "@b", "a b@c", "a@b@c"]),
        ("site", ["https://x.y/z", "mailto:a@b"], ["x.y", "https://a b", "//x"]),
        ("day", ["2026-02-28"], ["2026-02-30", "28.2.2026", "2026-2-8"]),
        ("at", ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00.5+02:00"], ["2026-02-28T10:00", "2026-02-28"]),
        ("count", [1, 5, 3.0], [0, 6, 2.5, "2", True, float("nan"), 1e308]),
        ("share", [0.5], [0, 1, -1, float("inf")]),
        ("sure", [True, False], ["true", 1, None]),
        ("env", ["dev"], ["Development", "", 1, ["dev"]]),
        ("size", ["s", "m"], ["Small", "x"]),
        ("tags", [["a"], ["a", "c"]], [[], ["a", "b", "c"], ["a", "a"], ["x"], "a", [["a"]]]),
    ],
)
def test_a_value_fits_its_field_or_has_a_sentence(name: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if problem(name, value)] == []
    assert [value for value in bad if not problem(name, value).endswith((".", *"0123456789"))] == []


def test_what_is_missing_or_unknown_is_named() -> None:
    assert problems_of(fields_of(SCHEMA), {"name": "Ann", "else": 1}) == {
        "sure": "This field is required.",
        "else": "There is no such field.",
    }
    assert list(problems_of([], ["x"])) == [""]
    assert list(problems_of([], {"x": "y" * 100_000})) == [""]


def test_typed_text_becomes_values() -> None:
    typed = {
        **{"name": ["Ann"], "count": [" 3 "], "share": ["0.5"], "sure": ["on"], "env": ["prod"]},
        **{"tags": ["a", "c"], "mail": [""], "day": ["today"]},
    }
    assert content_of(fields_of(SCHEMA), typed) == {
        **{"name": "Ann", "count": 3, "share": 0.5, "sure": True, "env": "prod"},
        **{"tags": ["a", "c"], "day": "today"},
    }
    assert content_of(fields_of(SCHEMA), {"count": ["9" * 5000], "share": ["nan"], "sure": ["perhaps"]})
    assert problem("count", "9" * 5000)


def deep(levels: int) -> Json:
    value: Json = {}
    for _ in range(levels):
        value = {"properties": value}
    return value


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "x",
        {"type": "array"},
        {"properties": []},
        {"properties": {"a": None}},
        {"properties": {"a": {"type": "object"}}},
        {"properties": {"a": {"type": "array", "items": {"type": "string"}}}},
        {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"a": {"type": "string", "not": {}}}},
        {"properties": {"a": {"type": ["string", "integer"]}}},
        {"properties": {"a": {"enum": [{}]}}},
        {"properties": {"a": {"enum": list(range(5000))}}},
        {"properties": {}, "required": ["b"]},
        {"properties": {}, "required": [[]]},
        {"properties": {f"f{n}": {"type": "string"} for n in range(MAX_FIELDS + 1)}},
        {"properties": {"a": {"type": "string", "title": "x" * 100_000}}},
        {"anyOf": [{"required": ["a"]}]},
        deep(60),
        {"properties": deep(20_000)},
    ],
)
def test_what_is_no_form_is_refused_with_a_reason(schema: Any) -> None:
    with pytest.raises(NotAForm, match=r".{10}"):
        fields_of(schema)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["type", "enum", "oneOf", "anyOf", "items", "minimum", "minLength", "default", "title", "format", "const"]
)
KINDS = st.sampled_from(["string", "integer", "boolean", "array", "number"])
ABOUT = st.dictionaries(WORDS, JSON | KINDS | st.lists(st.fixed_dictionaries({"const": JSON}), max_size=3))


@settings(deadline=None, max_examples=300)
@given(about=st.dictionaries(st.text(max_size=5), JSON | ABOUT, max_size=3), order=JSON, value=JSON)
def test_no_schema_and_no_answer_raises_anything_else(about: Json, order: Any, value: Any) -> None:
    try:
        fields = fields_of({"type": "object", "properties": about, "required": list(about)[:1]}, order)
    except NotAForm:
        return
    problems_of(fields, value)
    problems_of(fields, dict.fromkeys(about, value))
    words = [str(value)]
    typed = content_of(fields, dict.fromkeys(about, words))
    assert problems_of(fields, {**typed, "\0": 1})


def test_a_pattern_is_checked_if_it_can_be_and_never_freezes() -> None:
    properties = {
        "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "evil": {"type": "string", "pattern": "^(a+)+$"},
        "odd": {"type": "string", "pattern": "("},
    }
    fields = fields_of({"type": "object", "properties": properties})
    assert "pattern" in problems_of(fields, {"code": "abc"})["code"]
    assert problems_of(fields, {"code": "ABC", "odd": "x"}) == {}
    began = time.monotonic()
    content = {"code": "abc", "evil": "a" * 60 + "!"}
    assert list(problems_of(fields, content)) == ["code"]
    assert time.monotonic() - began < 10


def test_secrets_are_known_by_their_format_or_name_and_are_not_recorded() -> None:
    properties: Json = {
        "user": {"type": "string"},
        "pw": {"type": "string", "format": "password", "default": "x"},
        "api_key": {"type": "string"},
        "other": {"type": "string", "writeOnly": True},
        "tokens": {"type": "integer"},
    }
    fields = fields_of({"type": "object", "properties": properties})
    assert [field.name for field in fields if field.secret] == ["pw", "api_key", "other"]
    assert {field.default for field in fields} == {None}
    request: Any = {"request_kind": "form", "schema": {"type": "object", "properties": properties}}
    kept = recorded_content(request, {"user": "ann", "pw": "x", "api_key": "y", "tokens": 3})
    assert kept == {"user": "ann", "pw": HIDDEN_VALUE, "api_key": HIDDEN_VALUE, "tokens": 3}
