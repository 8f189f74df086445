"""The board's page and the verbs of its cards."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from tasks.models import Run, Task
from tasks.tests.factories import make_owner, make_run, make_task, make_workspace
from tasks.tests.people import People, browser_of, send
from workspaces.models import BackendHold, Host

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(people: People) -> Client:
    return people.browser("owner")


def column_of(html: str, status: str) -> str:
    found = re.search(rf'id="col-{status}".*?</section>', html, re.DOTALL)
    assert found
    return found[0]


def test_somebody_without_a_workspace_is_told_to_add_one() -> None:
    html = browser_of(make_owner()).get("/").content.decode()
    assert "Add a workspace first" in html
    assert 'href="/workspaces/new"' in html


def test_a_card_stands_in_the_column_of_its_status(client: Client, people: People) -> None:
    html = client.get("/").content.decode()
    assert people.task.title in column_of(html, "backlog")
    assert people.task.title not in column_of(html, "review")


def test_a_card_says_what_runs_and_how_it_goes(client: Client, people: People) -> None:
    task = make_task(
        workspace=people.workspace, title="Busy", status="running", files_changed=3, lines_added=12400
    )
    make_run(
        task=task, state="running", activity="npm test", input_tokens=12_400, cost_usd="0.42", model="opus"
    )
    card = column_of(client.get("/").content.decode(), "running")
    for part in ("working", "npm test", "+12.4k", "$0.42", "Claude Code", "web shop"):
        assert part in card


def test_a_failed_run_stands_in_review_with_its_reason(client: Client, people: People) -> None:
    task = make_task(workspace=people.workspace, status="review")
    make_run(task=task, state="failed", reason_code="login", reason="The API key was refused.")
    card = column_of(client.get("/").content.decode(), "review")
    assert "login refused" in card
    assert "The API key was refused." in card


def test_a_queued_card_says_what_it_waits_for(client: Client, people: People) -> None:
    make_run(
        task=make_task(workspace=people.workspace, status="queued"),
        reason="Waiting for a free slot (4 of 4 running).",
    )
    assert "Waiting for a free slot (4 of 4 running)." in column_of(
        client.get("/").content.decode(), "queued"
    )


def test_the_title_of_the_page_counts_what_needs_a_person(client: Client, people: People) -> None:
    make_run(task=make_task(workspace=people.workspace, status="running"), state="waiting")
    assert "<title>(1) Board" in client.get("/").content.decode()


def test_the_board_can_show_one_workspace_and_search(client: Client, people: People) -> None:
    other = make_task(workspace=make_workspace(owner=people.owner), title="Water the plants")
    only = client.get("/board/columns", {"workspace": people.workspace.pk}).content.decode()
    assert people.task.title in only
    assert other.title not in only
    found = client.get("/board/columns", {"q": "plants"}).content.decode()
    assert other.title in found
    assert people.task.title not in found


@pytest.mark.parametrize("search", ["word " * 13, "x" * 201, "# " * 3000])
def test_a_search_that_would_compute_for_long_is_refused_with_the_limit(
    client: Client, people: People, search: str
) -> None:
    html = client.get("/", {"q": search}).content.decode()
    assert "at most 12 words and 200 characters" in html
    assert people.task.title not in html


def test_a_search_of_twelve_words_is_answered(client: Client, people: People) -> None:
    assert people.task.title in client.get("/", {"q": "shelves " * 12}).content.decode()


@pytest.mark.parametrize("query", ["workspace=none", "workspace=99999", "q=%00%27%22", "q=" + "x" * 500])
def test_the_board_survives_strange_questions(client: Client, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 200


def test_hostile_titles_are_shown_as_text(client: Client, people: People) -> None:
    make_task(workspace=people.workspace, title='"><img src=x onerror=alert(1)>{{ 7*7 }}', model="<b>x</b>")
    html = client.get("/").content.decode()
    assert "<img" not in html
    assert "<b>x" not in html
    assert "&lt;img src=x" in html


def test_the_columns_are_the_same_part_as_in_the_page(client: Client) -> None:
    part = client.get("/board/columns").content.decode().strip()
    assert "<html" not in part
    assert column_of(part, "backlog") in client.get("/").content.decode()


def test_dropping_a_card_into_queued_runs_it(client: Client, people: People) -> None:
    response = send(client, f"/tasks/{people.task.pk}/move", status="queued", before="")
    assert response.status_code == 204
    assert Run.objects.get().task == people.task


def test_a_refused_move_says_why_and_changes_nothing(client: Client, people: People) -> None:
    response = send(client, f"/tasks/{people.task.pk}/move", status="running", before="")
    assert response.status_code == 409
    told = json.loads(response.headers["HX-Trigger"])
    assert "by itself" in told["toast"]["text"]
    assert told["toast"]["hint"]
    people.task.refresh_from_db()
    assert people.task.status == "backlog"


def test_a_column_that_does_not_exist_is_refused(client: Client, people: People) -> None:
    assert send(client, f"/tasks/{people.task.pk}/move", status="nowhere").status_code == 409


def test_a_card_moves_before_another(client: Client, people: People) -> None:
    second = make_task(workspace=people.workspace, title="Second")
    send(client, f"/tasks/{second.pk}/move", status="backlog", before=people.task.pk)
    assert list(Task.objects.order_by("rank")) == [second, people.task]


def test_deleting_from_the_board_stays_there(client: Client, people: People) -> None:
    response = send(client, f"/tasks/{people.task.pk}/delete", **{"from": "board"})
    assert response.status_code == 204
    assert "HX-Redirect" not in response.headers
    assert not Task.objects.exists()


def test_a_held_login_and_a_lost_host_are_told_above_the_columns(client: Client, people: People) -> None:
    host = people.workspace.host
    Host.objects.update(link="down", link_reason="It does not answer.")
    hold = BackendHold.objects.create(
        host=host, backend="codex", held_since="2026-01-01T00:00:00Z", reason="401"
    )
    assert "No link" not in client.get("/").content.decode()  # nothing is meant to go on there
    make_run(task=people.task)
    html = client.get("/").content.decode()
    assert "No link to this machine" in html
    assert "Codex on this machine is on hold." in html
    assert send(client, f"/holds/{hold.pk}/try").status_code == 204


def test_a_number_too_long_for_any_row_finds_nothing(client: Client, people: People) -> None:
    for digits in (19, 5000):
        html = client.get("/", {"q": "7" * digits}).content.decode()
        assert people.task.title not in html


def test_a_stranger_can_not_try_a_login(people: People) -> None:
    host = Host.objects.create(key="ssh:other", kind="ssh", alias="other")
    hold = BackendHold.objects.create(
        host=host, backend="codex", held_since="2026-01-01T00:00:00Z", next_probe_at="2030-01-01T00:00:00Z"
    )
    assert send(people.browser("stranger"), f"/holds/{hold.pk}/try").status_code == 404
    hold.refresh_from_db()
    assert hold.next_probe_at


def test_without_javascript_a_verb_leads_back_with_a_message(client: Client, people: People) -> None:
    response = client.post(f"/tasks/{people.task.pk}/run", follow=True)
    assert response.redirect_chain == [(f"/tasks/{people.task.pk}", 302)]
    assert "Queued." in response.content.decode()


@pytest.mark.parametrize(("headers", "status"), [({}, 403), ({"X-CSRFToken": "wrong"}, 403)])
def test_a_verb_without_the_pages_token_is_refused(
    people: People, headers: dict[str, str], status: int
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.owner)
    client.get("/")
    response = client.post(f"/tasks/{people.task.pk}/run", headers={"HX-Request": "true", **headers})
    assert response.status_code == status
    assert not Run.objects.exists()


def test_the_token_that_the_page_hands_to_htmx_is_accepted(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.owner)
    found = re.search(r"hx-headers:inherited='(.*?)'", client.get("/").content.decode())
    assert found
    headers = {"HX-Request": "true", **json.loads(found[1])}
    assert client.post(f"/tasks/{people.task.pk}/run", headers=headers).status_code == 204


def test_no_page_has_scripts_or_styles_of_its_own(client: Client, people: People) -> None:
    for path in ("/", "/tasks/new", f"/tasks/{people.task.pk}", "/workspaces/new", "/account/tokens"):
        html = client.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html), path
