"""Completion in boxes for prompts and messages: what is offered, and to whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tasks.conversation import completion
from tasks.tests.factories import make_run
from tasks.tests.people import People
from workspaces import listings
from workspaces.file_index import FileIndex
from workspaces.hostkit.wire import OfferedCommand
from workspaces.listings import Listing

pytestmark = pytest.mark.django_db


def command(name: str, insert: str = "", *, in_conversation: bool = False) -> OfferedCommand:
    return {
        "name": name,
        "insert": insert or f"/{name}",
        "description": f"Does {name}",
        "hint": "<x>",
        "in_conversation": in_conversation,
    }


COMMANDS = (command("deploy"), command("redo"), command("compact", in_conversation=True), command("d-x"))
FILES = ("src/main.py", "a b.txt", "notes#1.md", "ä.txt", "foo+")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Lists without a host; what was asked for is noted."""
    calls: list[dict[str, Any]] = []

    def commands_of(_workspace: object, backend: str, **place: str) -> Listing:
        calls.append({"backend": backend, **place})
        return Listing(commands=COMMANDS, pending=False)

    def files_of(_workspace: object, **place: str) -> Listing:
        calls.append({**place})
        return Listing(files=FileIndex(FILES), left_out=2, pending=False)

    monkeypatch.setattr(listings, "commands_of", commands_of)
    monkeypatch.setattr(listings, "files_of", files_of)
    return calls


def offered(client: Client, path: str, **query: str) -> list[str]:
    response = client.get(path, query)
    assert response.status_code == 200
    return [item["insert"] for item in response.json()["items"]]


@pytest.mark.parametrize("kind", ["tasks", "workspaces"])
@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("member", 200), ("stranger", 404), ("nobody", 302)]
)
def test_only_those_of_the_workspace_complete(people: People, kind: str, who: str, status: int) -> None:
    number = people.task.pk if kind == "tasks" else people.workspace.pk
    path = f"/{kind}/{number}/completions"
    for query in ({}, {"sign": "/"}, {"sign": "@", "q": "a"}):
        assert people.browser(who).get(path, query).status_code == status
    assert people.browser("owner").post(path).status_code == 405


class TestCommands:
    def offered(self, people: People, query: str) -> list[str]:
        return offered(people.browser("member"), f"/tasks/{people.task.pk}/completions", sign="/", q=query)

    def test_they_fit_by_their_beginning_first(self, people: People) -> None:
        assert self.offered(people, "d") == ["/deploy", "/d-x", "/redo"]
        assert self.offered(people, "DPY") == ["/deploy"]
        assert self.offered(people, "nothing") == []

    def test_what_needs_a_conversation_is_offered_when_there_is_one(self, people: People) -> None:
        assert "/compact" not in self.offered(people, "")
        make_run(task=people.task, cli_session="abc", state="succeeded")
        assert "/compact" in self.offered(people, "")

    def test_they_are_those_of_the_worktree_or_of_the_base_branch(
        self, people: People, asked: list[dict[str, Any]]
    ) -> None:
        self.offered(people, "")
        repo, branch = people.workspace.repo_path, f"refs/heads/{people.workspace.base_branch}"
        assert asked[-1] == {"backend": people.task.backend, "path": repo, "commit": branch}
        people.task.branch, people.task.worktree_path = "aitask/1-x", "/trees/1-x"
        people.task.save()
        self.offered(people, "")
        assert asked[-1] == {"backend": people.task.backend, "path": "/trees/1-x", "commit": ""}

    def test_the_cli_that_a_form_has_chosen_counts(self, people: People, asked: list[dict[str, Any]]) -> None:
        path = f"/workspaces/{people.workspace.pk}/completions"
        for backend, used in (("codex", "codex"), ("<no such>", people.workspace.default_backend)):
            offered(people.browser("owner"), path, sign="/", backend=backend)
            assert asked[-1]["backend"] == used

    def test_hostile_words_are_shown_with_escapes(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evil = command("x")
        evil["description"] = "a\u202eb\x1b[31m\ud800"
        monkeypatch.setattr(
            listings, "commands_of", lambda *_, **__: Listing(commands=(evil,), pending=False)
        )
        answer = people.browser("owner").get(f"/tasks/{people.task.pk}/completions", {"sign": "/"}).json()
        assert not {"\u202e", "\x1b"} & set(answer["items"][0]["detail"])


class TestFiles:
    def offered(self, people: People, backend: str) -> list[str]:
        path = f"/workspaces/{people.workspace.pk}/completions"
        return offered(people.browser("owner"), path, sign="@", backend=backend)

    def test_claude_code_gets_their_content(self, people: People) -> None:
        found = self.offered(people, "claude_code")
        assert set(found) == {"@src/main.py", '@"a b.txt"', '"notes#1.md"', '@"ä.txt"', '@"foo+"'}

    def test_codex_gets_their_paths(self, people: People) -> None:
        found = self.offered(people, "codex")
        assert set(found) == {"src/main.py", '"a b.txt"', '"notes#1.md"', '"ä.txt"', '"foo+"'}

    def test_names_that_are_left_out_are_counted(self, people: People) -> None:
        path = f"/tasks/{people.task.pk}/completions"
        answer = people.browser("owner").get(path, {"sign": "@", "q": '"a b'}).json()
        assert answer["note"] == "2 names can't be written in a message."
        assert [item["text"] for item in answer["items"]] == ["a b.txt"]

    def test_an_endless_word_is_cut(self, people: People) -> None:
        box = completion.box_of_task(people.task, "")
        assert completion.complete(box, "@", "x" * 10_000_000)["items"] == []


@pytest.mark.parametrize("page", ["", "/edit", "/run"])
def test_the_boxes_of_a_task_complete(people: People, page: str) -> None:
    shown = people.browser("owner").get(f"/tasks/{people.task.pk}{page}").content.decode()
    assert f'data-complete="/tasks/{people.task.pk}/completions"' in shown


def test_the_box_of_a_new_task_completes(people: People) -> None:
    shown = people.browser("owner").get("/tasks/new").content.decode()
    assert 'data-complete="/workspaces/{workspace}/completions"' in shown
