"""Whatever a CLI asks waits for a person: with a form, or with all that the CLI has sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.tests.lab.mutations import MUTATIONS
from workspaces.hostkit.base.agent import RequestDecision

from .test_asked import asked_of, replied

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", 5, None])
FIELD = st.fixed_dictionaries(
    {"type": TYPES},
    optional={
        **dict.fromkeys(("enum", "items", "properties", "oneOf", "default"), JSON),
        **dict.fromkeys(("minimum", "maxLength", "format", "pattern", "const"), JSON),
    },
)
SCHEMA = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(st.text(max_size=6), FIELD, max_size=4)},
    optional={"required": st.lists(st.text(max_size=6), max_size=3) | JSON},
)


@pytest.mark.fuzz
@pytest.mark.parametrize("backend", ["claude_code", "codex"])
def test_a_form_of_any_schema_is_shown_and_answered_by_a_person_alone(backend: str) -> None:
    @settings(MUTATIONS, max_examples=150)
    @given(SCHEMA)
    def ask(schema: Any) -> None:
        agent, tape, request = asked_of(backend, requestedSchema=schema)
        before = len(tape.sent)
        assert request.get("schema") == schema or request["input"]["requested schema"] == schema
        assert not tape.of("raw")
        assert list(agent.requests) == [request["id"]]
        agent.decide(request["id"], RequestDecision(False), "web")
        assert len(tape.sent) == before + 1
        assert replied(tape) == {"action": "decline"}

    ask()
