"""The conversation as a Markdown document."""

from __future__ import annotations

import pytest

from tasks import export
from tasks.models import Run, Task
from tasks.tests.factories import make_event, make_run
from tasks.tests.people import People

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(people: People) -> Run:
    return make_run(task=people.task, state="succeeded", model="claude-opus-4-8")


def text_of(task: Task) -> str:
    return "".join(export.as_markdown(task))


def test_what_was_said_and_done_stands_in_its_order(people: People, run: Run) -> None:
    make_event(run, "message", text="Fix the *totals*.", by="prompt", id="m")
    make_event(run, "thinking", text="Hm.\nRounding.")
    make_event(run, "tool", name="Bash", title="make test", id="t")
    make_event(run, "tool_result", id="t", output="1 failed\n", is_error=True)
    make_event(run, "text", text="# Done\n\n- a list")
    make_event(run, "usage", input_tokens=5)
    make_event(run, "finished", state="succeeded", reason="", reason_code="")
    document = text_of(people.task)
    parts = [
        f"# {people.task.title}",
        "## Run 1: Claude Code · claude-opus-4-8",
        "### You\n\nFix the *totals*.",
        "> Hm.\n> Rounding.",
        "**Bash** `make test`",
        "```\n1 failed\n```",
        "### Agent\n\n# Done\n\n- a list",
        "**Succeeded**",
    ]
    places = [document.index(part) for part in parts]
    assert places == sorted(places)
    assert "input_tokens" not in document


@pytest.mark.parametrize("fence", ["```", "`````"])
def test_output_can_not_leave_its_code_block(people: People, run: Run, fence: str) -> None:
    make_event(run, "tool_result", id="t", output=f"{fence}\n# Not a heading\n{fence}", is_error=False)
    make_event(run, "tool", name="Bash", title=f"echo {fence}x", id="u")
    document = text_of(people.task)
    assert f"{fence}`\n{fence}\n# Not a heading\n{fence}\n{fence}`" in document
    assert f"{fence}` echo {fence}x {fence}`" in document


def test_signs_that_turn_text_around_are_shown_as_escapes(people: People, run: Run) -> None:
    make_event(run, "text", text="safe\u202eexe.txt\x1b[2J")
    document = text_of(people.task)
    assert "\u202e" not in document
    assert "\x1b" not in document


@pytest.mark.parametrize("value", [None, 7, ["a"], {"b": 1}])
def test_fields_of_another_type_are_no_error(people: People, run: Run, value: object) -> None:
    for kind in export.PARTS:
        make_event(run, kind, **dict.fromkeys(("text", "title", "output", "name", "state", "path"), value))
    assert "## Run 1" in text_of(people.task)


def test_all_pages_of_all_runs_are_in_it(people: People, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 3)
    again = make_run(task=people.task, number=2)
    for number in range(7):
        make_event(run, text=f"first {number}.")
        make_event(again, text=f"second {number}.")
    document = text_of(people.task)
    assert all(f"{name} {number}." in document for name in ("first", "second") for number in range(7))
    assert document.count("## Run") == 2


def test_it_is_downloaded_by_those_of_the_workspace_alone(people: People, run: Run) -> None:
    make_event(run, text="Hello.")
    path = f"/tasks/{people.task.pk}/conversation.md"
    response = people.browser("member").get(path)
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert b"Hello." in b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert people.browser("stranger").get(path).status_code == 404
    assert people.browser("nobody").get(path).status_code == 302
