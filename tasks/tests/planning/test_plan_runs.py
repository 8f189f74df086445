"""Plan runs in rows: how one is started, what it leaves, and what a plan can't do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from tasks import verbs
from tasks.many import services as many
from tasks.many.verbs import ManyVerb
from tasks.models import Run, Task
from tasks.planning import agents
from tasks.planning.split import split
from tasks.rendering import render_rows
from tasks.runs import reducer
from tasks.runs import services as run_services
from tasks.tests.api_client import Script
from tasks.tests.factories import make_event, make_run, make_task
from tasks.tests.people import HTMX, People
from tasks.tests.planning.document import AFTER, DOCUMENT, TITLES, proposal
from tasks.trains import services as trains

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(people: People) -> Script:
    return Script(people.owner)


def plan_task(people: People, **fields: Any) -> Task:
    return make_task(workspace=people.workspace, kind="plan", title="Plan: files", **fields)


def plan_run(people: People, **fields: Any) -> Run:
    return make_run(task=plan_task(people, status="review"), kind="plan", **fields)


def proposed(run: Run, value: dict[str, Any], **more: Any) -> None:
    event: Any = {"seq": run.last_seq + 1, "kind": "proposals", "items": value["tasks"], **more}
    reducer.apply(run, event)
    run.save()


def test_the_document_is_split_into_twelve_points_with_five_dependencies() -> None:
    found = split(DOCUMENT)
    assert [point.title for point in found.points] == TITLES
    assert [point.after for point in found.points] == AFTER
    assert sum(map(len, AFTER)) == 5


def test_a_plan_is_a_task_with_a_run_of_its_own_kind(script: Script, people: People) -> None:
    body = {"text": "# Files in\n\nDrop and paste.", "backend": "codex", "model": ""}
    run = script.post(f"/workspaces/{people.workspace.pk}/plan", body)
    assert script.status == 200, run
    assert (run["kind"], run["state"], run["proposals"]) == ("plan", "queued", [])
    task = script.get(f"/tasks/{run['task']}")
    assert (task["kind"], task["title"], task["status"]) == ("plan", "Plan: Files in", "queued")
    assert "Drop and paste." in task["prompt"]
    assert script.get(f"/tasks/{people.task.pk}")["kind"] == "work"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": " ", "backend": "codex"}, 409),
        ({"text": "x" * 200_001, "backend": "codex"}, 409),
        ({"text": "a", "backend": "none"}, 422),
        ({"text": "a"}, 422),
        ({"backend": "codex"}, 422),
    ],
)
def test_what_can_not_be_planned_is_refused(script: Script, people: People, body: Any, status: int) -> None:
    answer = script.post(f"/workspaces/{people.workspace.pk}/plan", body)
    assert (script.status, bool(answer["detail"])) == (status, True)
    assert Task.objects.count() == 1


def test_a_stranger_can_not_plan(people: People) -> None:
    script = Script(people.stranger)
    script.post(f"/workspaces/{people.workspace.pk}/plan", {"text": "a", "backend": "codex"})
    assert script.status == 404


def test_a_cli_that_can_not_plan_is_not_asked_to(
    people: People, monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setattr(agents, "planners", lambda: ["claude_code"])
    answer = script.post(f"/workspaces/{people.workspace.pk}/plan", {"text": "a", "backend": "codex"})
    assert answer == {"detail": "Codex can't plan.", "hint": "Choose Claude Code."}


def test_every_run_of_a_plan_is_a_plan_run(people: People) -> None:
    task = plan_task(people)
    first = run_services.queue_run(task, user=people.owner)
    first.change((Run.State.QUEUED,), state="failed", cli_session="s")
    again = run_services.queue_run(task, user=people.owner, prompt="Smaller ones.", resume=True)
    assert (first.kind, again.kind, again.resumes) == ("plan", "plan", "s")


def test_the_proposal_is_on_the_run_and_the_newest_one_counts(script: Script, people: People) -> None:
    run = plan_run(people, state="running")
    proposed(run, proposal(3))
    proposed(run, proposal(12), notes=["Tasks 1 and 2 have the same title."])
    answer = script.get(f"/runs/{run.pk}")
    assert [each["title"] for each in answer["proposals"]] == TITLES
    assert [each["after"] for each in answer["proposals"]] == AFTER
    assert set(answer["proposals"][0]) == {"title", "prompt", "after", "touches", "check", "size"}
    assert answer["proposal_notes"] == ["Tasks 1 and 2 have the same title."]
    assert answer["activity"] == "Proposed 12 tasks"


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{}],
        [{"title": "", "prompt": "", "after": [], "touches": [], "check": "", "size": ""}],
        [{"title": "x", "prompt": "x"}] * 201,
    ],
)
def test_an_event_that_an_agent_has_written_is_read_again(people: People, items: Any) -> None:
    run = plan_run(people, state="running")
    proposed(run, {"tasks": items})
    assert run.proposals == []


def test_a_run_that_is_no_plan_has_no_proposals(people: People) -> None:
    run = make_run(task=people.task, state="running")
    proposed(run, proposal())
    assert run.proposals == []


def test_the_conversation_shows_the_titles_as_text_and_leads_to_the_page(people: People) -> None:
    run = plan_run(people)
    value = proposal(2)
    value["tasks"][0]["title"] = "<script>alert(1)</script>"
    event = make_event(run, "proposals", items=value["tasks"])
    answer = make_event(run, "text", text=json.dumps(value))
    html = render_rows([(run, event), (run, answer)])
    assert f'href="/plan?run={run.pk}"' in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "Check and create 2 tasks" in html


def test_the_page_has_the_newest_proposal_of_the_plan(people: People) -> None:
    run = plan_run(people, state="succeeded")
    proposed(run, proposal(2))
    later = make_run(task=run.task, kind="plan", state="succeeded", number=2)
    proposed(later, proposal(12), notes=["Task 1 was to come after itself."])
    failed = make_run(task=run.task, kind="plan", state="failed", number=3)
    for asked in (run, failed):
        html = people.browser("owner").get(f"/plan?run={asked.pk}").content.decode()
        data = json.loads(html.partition('id="plan-proposals" type="application/json">')[2].partition("<")[0])
        assert (data["run"], len(data["tasks"]), data["plan"]) == (later.pk, 12, run.task_id)
        assert data["told"][1]["lines"] == ["Task 1 was to come after itself."]


def test_the_page_of_a_plan_is_only_for_those_of_the_workspace(people: People) -> None:
    run = plan_run(people, state="succeeded")
    assert people.browser("owner").get(f"/plan?run={run.pk}").status_code == 404  # it has proposed nothing
    proposed(run, proposal(2))
    assert people.browser("member").get(f"/plan?run={run.pk}").status_code == 200
    assert people.browser("stranger").get(f"/plan?run={run.pk}").status_code == 404
    assert people.browser("owner").get("/plan?run=x").status_code == 404


def test_creating_the_tasks_of_a_plan_closes_it_and_undo_reopens_it(people: People) -> None:
    run = plan_run(people, state="succeeded")
    items = json.dumps([{"title": "A", "prompt": "a"}])
    common = {"workspace": people.workspace.pk, "backend": "codex", "plan": run.task_id}
    response = people.browser("owner").post("/plan/create", {"items": items, **common}, headers=HTMX)
    told = json.loads(response.content)
    assert Task.objects.get(pk=run.task_id).status == "done"
    for step in told["undo"]:
        many.act(people.owner, ManyVerb(step["verb"]), step["tasks"])
    assert Task.objects.get(pk=run.task_id).status == "review"
    assert not Task.objects.filter(title="A").exists()


@pytest.mark.parametrize("state", ["succeeded", "failed", "running", "cancelled"])
def test_undo_keeps_a_task_that_an_agent_has_worked_on(people: People, state: str) -> None:
    items = json.dumps([{"title": "A", "prompt": "a"}, {"title": "B", "prompt": "b"}])
    data = {"workspace": people.workspace.pk, "backend": "codex", "items": items, "run": "1"}
    told = json.loads(people.browser("owner").post("/plan/create", data, headers=HTMX).content)
    Run.objects.filter(task__title="A").update(state=state, started_at=timezone.now())
    client, answers = people.browser("owner"), []
    for step in told["undo"]:
        body = {"verb": step["verb"], "task": step["tasks"]}
        answers.append(json.loads(client.post("/tasks/many", body, headers=HTMX).content))
    assert list(Task.objects.filter(title__in="AB").values_list("title", flat=True)) == ["A"]
    assert answers[-1]["text"] == "Removed 1 of 2 tasks."
    assert Run.objects.filter(task__title="A").exists()


def test_a_plan_is_started_from_the_page(people: People) -> None:
    data = {"text": "Files in", "workspace": people.workspace.pk, "backend": "codex"}
    response = people.browser("owner").post("/plan/start", data, headers=HTMX)
    task = Task.objects.get(kind="plan")
    assert json.loads(response.content) == {"url": f"/tasks/{task.pk}"}
    response = people.browser("owner").post("/plan/start", {**data, "text": ""}, headers=HTMX)
    assert (response.status_code, json.loads(response.content)["error"]) == (409, "The text is empty.")


def test_a_plan_is_never_merged(people: People) -> None:
    run = plan_run(people, state="succeeded")
    Task.objects.filter(pk=run.task_id).update(branch="aitask/1-plan", base_commit="0" * 40)
    task = Task.objects.get(pk=run.task_id)
    assert "accept" not in verbs.possible(task, run)
    assert trains.finished(people.workspace) == []
    assert not trains.is_unmerged(task)


def test_the_page_of_a_plan_says_that_it_only_reads(people: People) -> None:
    run = plan_run(people, state="succeeded", permission_mode="edits")
    html = people.browser("owner").get(f"/tasks/{run.task_id}").content.decode()
    assert "Only reads" in html
    assert "Edit files, ask for commands" not in html.partition('class="talk')[0]


def test_the_card_of_a_plan_says_that_it_only_reads(people: People) -> None:
    plan_run(people, state="succeeded", permission_mode="full")
    html = people.browser("owner").get("/board/columns").content.decode()
    assert 'title="Permissions: Only reads"' in html
    assert "Permissions: Everything" not in html
