"""What the form offers, in each state of the lists."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tasks import editing, services
from tasks.tests.factories import make_task, make_workspace
from workspaces.catalog import form_choices, queries
from workspaces.models import Host, ModelList

from .conftest import keep, model

pytestmark = pytest.mark.django_db
Lists = dict[str, ModelList]


def test_it_starts_with_the_workspaces_defaults(lists: Lists) -> None:
    workspace = make_workspace(default_backend="codex", default_model="gpt-b", default_reasoning_effort="low")
    choices = form_choices.preset(lists, workspace)
    assert (choices.backend, choices.model, choices.effort) == ("codex", "gpt-b", "low")


def test_without_defaults_it_starts_with_what_the_cli_recommends(lists: Lists) -> None:
    choices = form_choices.preset(lists, make_workspace(default_backend="codex"))
    assert (choices.model, choices.effort) == ("gpt-a", "medium")


def test_another_cli_brings_its_own_recommendation(lists: Lists) -> None:
    choices = form_choices.preset(lists, make_workspace(default_model="haiku"), "codex")
    assert (choices.backend, choices.model) == ("codex", "gpt-a")


def test_only_the_levels_of_the_chosen_model_are_offered(lists: Lists) -> None:
    levels = [level["id"] for level in form_choices.Choices(lists, "claude_code", "default", "").levels]
    assert levels == ["low", "high"]
    assert form_choices.Choices(lists, "claude_code", "haiku", "").levels == []


def test_an_effort_that_another_model_lacks_gives_way_to_its_default(lists: Lists) -> None:
    said = {"backend": "codex", "model": "gpt-b", "reasoning_effort": "ultra", "changed": "model"}
    assert form_choices.after_change(lists, None, said).effort == "low"


def test_an_effort_that_another_model_has_too_stays(lists: Lists) -> None:
    said = {"backend": "claude_code", "model": "default", "reasoning_effort": "high", "changed": "model"}
    assert form_choices.after_change(lists, None, said).effort == "high"


def test_a_cli_that_the_host_does_not_have_is_not_offered_and_says_why(host: Host) -> None:
    lists = {
        "claude_code": keep(host, "claude_code", present=False, stale=True, error="It is not installed."),
        "codex": keep(host, "codex", model("gpt-a", default=True)),
    }
    choices = form_choices.preset(lists, make_workspace(default_backend="claude_code"))
    assert choices.backend == "codex"
    assert [cli.why_not for cli in choices.clis] == ["It is not installed.", ""]
    assert "Claude Code: It is not installed." in choices.notes


def test_with_no_list_ever_a_model_can_be_typed_and_the_reason_is_told(host: Host) -> None:
    broken = keep(host, "codex", stale=True, fetched_at=None, error="codex ended without an answer.")
    choices = form_choices.preset({"codex": broken}, None, "codex")
    assert (choices.models, choices.model, choices.effort_is_free) == ([], "", True)
    assert "codex ended without an answer." in choices.notes[0]


def test_an_old_list_says_of_when_it_is_and_why(host: Host) -> None:
    old = keep(host, "codex", model("gpt-a"), stale=True, error="codex is slow.")
    note = form_choices.Choices({"codex": old}, "codex", "gpt-a", "").notes[0]
    assert "This list is from" in note
    assert "codex is slow." in note


def test_a_model_that_is_no_longer_listed_stays_with_a_warning(lists: Lists) -> None:
    choices = form_choices.Choices(lists, "codex", "gpt-old", "low")
    assert choices.is_typed
    assert "gpt-old is not in the model list of Codex" in choices.warning


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"model": "haiku", "reasoning_effort": "high"}, "no effort levels"),
        ({"model": "default", "reasoning_effort": "ultra"}, "low, high"),
        ({"model": "gpt-a"}, "is a model of Codex"),
    ],
)
def test_what_the_cli_would_certainly_refuse_is_refused(
    lists: Lists, fields: dict[str, Any], word: str
) -> None:
    with pytest.raises(ValidationError, match=word):
        services.create_task(
            make_workspace(), None, services.TaskFields(prompt="x", backend="claude_code", **fields)
        )


def test_an_alias_that_no_list_has_is_let_through(lists: Lists) -> None:
    task = services.create_task(make_workspace(), None, services.TaskFields(prompt="x", model="fable"))
    assert task.model == "fable"


def test_a_task_whose_model_has_gone_can_still_be_changed(lists: Lists) -> None:
    task = make_task(model="haiku", reasoning_effort="high")
    assert editing.update_task(task, title="Other words").title == "Other words"


def test_nothing_is_warned_of_where_no_list_is() -> None:
    assert queries.warning(None, "opus", "high") == ""
