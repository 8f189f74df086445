"""Templates for prompts: saved, inserted, managed by those of the workspace."""

from __future__ import annotations

import pytest
from django.test import Client

from aitask.lib.errors import Refused
from tasks import prompt_templates
from tasks.models import PromptTemplate
from tasks.tests.people import People, browser_of, send

pytestmark = pytest.mark.django_db
SAVE = "/prompt-templates/save"


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("member")


def save(client: Client, people: People, name: str, text: str) -> int:
    return send(client, SAVE, workspace=people.workspace.pk, name=name, text=text).status_code


def test_a_saved_template_is_offered_and_gives_its_text(client: Client, people: People) -> None:
    assert save(client, people, "Fix a bug", "Fix this:\r\n\r\nAdd a test first.") == 204
    template = PromptTemplate.objects.get()
    assert "Fix a bug" in client.get("/tasks/new").content.decode()
    text = client.get(f"/prompt-templates/{template.pk}/text")
    assert text.content.decode() == "Fix this:\n\nAdd a test first."
    assert text.headers["Content-Type"].startswith("text/plain")


def test_the_same_name_replaces_the_text(client: Client, people: People) -> None:
    save(client, people, "Fix", "One")
    save(client, people, " Fix ", "Two")
    assert [template.text for template in PromptTemplate.objects.all()] == ["Two"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("", "x", "no name"),
        (" \n ", "x", "no name"),
        ("Fix", " ", "empty"),
        ("Fix", "x" * 100_001, "100,001"),
    ],
)
def test_what_is_no_template_is_refused(people: People, name: str, text: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        prompt_templates.save(people.workspace, name, text, user=people.owner)
    assert not PromptTemplate.objects.exists()


def test_there_is_a_limit_but_existing_ones_can_be_changed(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_templates, "MOST", 2)
    for name in ("One", "Two"):
        prompt_templates.save(people.workspace, name, "x", user=people.owner)
    with pytest.raises(Refused, match="2 templates"):
        prompt_templates.save(people.workspace, "Three", "x", user=people.owner)
    assert prompt_templates.save(people.workspace, "Two", "y", user=people.owner).text == "y"


def test_a_template_is_deleted_by_those_of_the_workspace(client: Client, people: People) -> None:
    template = prompt_templates.save(people.workspace, "Fix", "x", user=people.owner)
    assert client.get("/prompt-templates").content.decode().count("Delete…") == 1
    send(client, f"/prompt-templates/{template.pk}/delete")
    assert not PromptTemplate.objects.exists()
    assert "No templates yet" in client.get("/prompt-templates").content.decode()


def test_strangers_neither_see_nor_change_templates(people: People) -> None:
    template = prompt_templates.save(people.workspace, "Our secret", "x", user=people.owner)
    stranger = people.browser("stranger")
    assert "Our secret" not in stranger.get("/prompt-templates").content.decode()
    assert stranger.get(f"/prompt-templates/{template.pk}/text").status_code == 404
    assert send(stranger, f"/prompt-templates/{template.pk}/delete").status_code == 404
    assert save(stranger, people, "Our secret", "changed") == 404
    assert PromptTemplate.objects.get().text == "x"


@pytest.mark.parametrize("path", ["", "/1/text"])
def test_templates_need_a_login(path: str) -> None:
    assert browser_of(None).get(f"/prompt-templates{path}").status_code == 302


def test_hostile_text_is_shown_as_text(client: Client, people: People) -> None:
    save(client, people, "</select><script>alert(1)</script>", "</textarea><script>alert(2)</script>")
    for path in ("/tasks/new", "/prompt-templates"):
        assert "<script>alert" not in client.get(path).content.decode()
