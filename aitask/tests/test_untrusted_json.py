"""JSON from outside: one reader with limits, and its twin on the hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.lib.text import storable
from aitask.lib.untrusted_json import MAX_DEPTH, Unreadable, is_deeper, loads
from aitask.tests.lab.mutations import MUTATIONS, mutated, nested
from workspaces.hostkit import files

EXAMPLES = [
    json.dumps({"id": 1, "verb": "a", "params": {"x": [1.5, None, True, "é\u2028"]}}).encode(),
    json.dumps([1, [2, [3, {"a": {"b": []}}]], "text", -5, 1e10]).encode(),
]


@pytest.mark.parametrize("depth", [1, 50, MAX_DEPTH])
@pytest.mark.parametrize("objects", [True, False])
def test_what_is_not_nested_too_deep_is_read_as_json(depth: int, objects: bool) -> None:
    text = nested(depth, objects=objects)
    assert loads(text) == json.loads(text)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 600, 5000, 100_000])
@pytest.mark.parametrize("objects", [True, False])
def test_what_is_nested_deeper_is_refused_with_the_limit(depth: int, objects: bool) -> None:
    with pytest.raises(Unreadable, match=f"more than {MAX_DEPTH} levels"):
        loads(nested(depth, objects=objects))


def test_brackets_in_texts_are_no_levels() -> None:
    assert loads(json.dumps({"a": "[{" * 10_000})) == {"a": "[{" * 10_000}


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"NaN", b"[Infinity]", b"9" * 5000, '{"a":1}'.encode("utf-16")],
    ids=lambda text: str(text[:12]),
)
def test_what_is_no_json_is_refused_with_one_exception(text: bytes) -> None:
    with pytest.raises(Unreadable):
        loads(text)


@settings(MUTATIONS, max_examples=2000)
@given(mutated(lambda: EXAMPLES))
def test_the_reader_of_the_app_and_that_of_the_hosts_agree(data: bytes) -> None:
    outcomes: list[Any] = []
    for read, error in ((loads, Unreadable), (files.loads, files.InvalidJson)):
        try:
            outcomes.append(read(data, depth=40))
        except error:
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


@settings(MUTATIONS, max_examples=500)
@given(mutated(lambda: EXAMPLES))
def test_whatever_was_read_can_be_made_storable(data: bytes) -> None:
    try:
        value = storable(loads(data))
    except Unreadable:
        return
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    assert "\0" not in text
    text.encode()


@settings(MUTATIONS, max_examples=200)
@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_depth_is_found_without_recursion(depth: int, limit: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    assert is_deeper(value, limit) == (depth > limit)
    while isinstance(value, list):  # end it from the outside, which needs no recursion either
        value = value[0]
