"""Answers to forms that can't be shown as fields are checked against any JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspaces.hostkit.base.json_schema import LIMITS, TYPES, misfits, resolved

ADDRESS = {
    "type": "object",
    "properties": {
        "street": {"type": "string", "minLength": 2},
        "zip": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "required": ["street"],
    "additionalProperties": False,
}
ONE_WAY = {"oneOf": [{"required": ["email"]}, {"required": ["phone"]}]}
TREE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
    },
}


@pytest.mark.parametrize(
    ("schema", "fitting", "wrong", "place"),
    [
        ({"properties": {"at": ADDRESS}}, {"at": {"street": "Ab"}}, {"at": {"street": "A"}}, "at.street"),
        ({"properties": {"at": ADDRESS}}, {"at": {"street": "Ab"}}, {"at": {}}, "at.street"),
        ({"properties": {"at": ADDRESS}}, {}, {"at": {"street": "Ab", "x": 1}}, "at.x"),
        ({"properties": {"at": ADDRESS}}, {}, {"at": {"street": "Ab", "zip": "a"}}, "at.zip"),
        (ONE_WAY, {"email": "a"}, {}, ""),
        (ONE_WAY, {"phone": "a"}, {"email": "a", "phone": "b"}, ""),
        (TREE, {"next": {"next": {"n": 1}}}, {"next": {"next": {"n": "1"}}}, "next.next.n"),
        ({"properties": {"l": {"items": {"type": "string"}}}}, {"l": ["a"]}, {"l": ["a", 5]}, "l[1]"),
        (
            {"properties": {"l": {"prefixItems": [{"const": 1}], "items": False}}},
            {"l": [1]},
            {"l": [1, 2]},
            "l[1]",
        ),
        ({"properties": {"l": {"uniqueItems": True}}}, {"l": [1, True]}, {"l": [1, 1.0]}, "l"),
        ({"properties": {"l": {"contains": {"const": 1}}}}, {"l": [0, 1]}, {"l": [0]}, "l"),
        ({"properties": {"a": {"enum": [1, "b"]}}}, {"a": 1.0}, {"a": True}, "a"),
        ({"properties": {"a": {"multipleOf": 0.1}}}, {"a": 0.3}, {"a": 0.35}, "a"),
        ({"properties": {"a": {"exclusiveMinimum": 0}}}, {"a": 0.1}, {"a": 0}, "a"),
        ({"properties": {"a": {"type": ["string", "null"]}}}, {"a": None}, {"a": 1}, "a"),
        ({"properties": {"a": {"format": "date"}}}, {"a": "2026-01-31"}, {"a": "2026-02-30"}, "a"),
        (
            {"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False},
            {"x-a": "b"},
            {"a": 1},
            "a",
        ),
        ({"propertyNames": {"maxLength": 2}}, {"ab": 1}, {"abc": 1}, "abc"),
        ({"dependentRequired": {"a": ["b"]}}, {"b": 1}, {"a": 1}, "b"),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"c": 1}, {"a": 1}, "b"),
        ({"not": {"required": ["a"]}}, {}, {"a": 1}, ""),
        ({"allOf": [{"minProperties": 1}]}, {"a": 1}, {}, ""),
        (
            {"anyOf": [{"properties": {"a": {"pattern": "^b"}}, "required": ["a"]}]},
            {"a": "b"},
            {"a": "c"},
            "a",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(schema: Any, fitting: Any, wrong: Any, place: str) -> None:
    assert misfits(schema, fitting) == {}
    assert list(misfits(schema, wrong)) == [place]


def test_a_reference_that_leads_nowhere_or_to_the_web_limits_nothing() -> None:
    for name in ("#/$defs/none", "https://schema.example/x", "#/a/-1"):
        assert misfits({"properties": {"a": {"$ref": name}}}, {"a": 5}) == {}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}] * 9}}},
    ],
)
def test_a_schema_without_an_end_is_given_up(schema: Any) -> None:
    assert "too complex" in misfits(schema, {"a": 1})[""]
    assert resolved(schema, schema) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = """
type enum const required properties patternProperties additionalProperties items prefixItems contains
minContains uniqueItems allOf anyOf oneOf not if then else $ref dependentRequired dependentSchemas
propertyNames format pattern
"""
WORDS = st.sampled_from([*LIMITS, *TYPES, *KEYWORDS.split(), "a", "b"])
SCHEMAS = st.recursive(
    JSON, lambda inner: st.dictionaries(WORDS, inner | st.lists(inner, max_size=3), max_size=5), max_leaves=12
)


@settings(deadline=None, max_examples=300)
@given(schema=SCHEMAS, value=JSON)
def test_no_schema_and_no_value_breaks_it(schema: Any, value: Any) -> None:
    found = misfits(schema, value, lambda pairs: [None] * len(pairs))
    assert all(isinstance(text, str) and text for text in found.values())
