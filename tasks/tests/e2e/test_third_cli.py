"""A CLI that nobody knows is added by two files, and everything else finds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.aviary import ADDED, HERE, Aviary

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def aviary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aviary]:
    made = Aviary(tmp_path_factory.mktemp("aviary"))
    with made.app:
        made.open()
        yield made


def test_two_files_are_all_that_it_needs() -> None:
    found = (HERE / "added").rglob("*.py")
    assert sorted(str(path.relative_to(HERE / "added")) for path in found) == ADDED


def test_a_task_of_it_ends_in_review_with_its_answer_tokens_and_a_commit(aviary: Aviary) -> None:
    run = aviary.run("Polly wants a cracker")
    assert run["state"] == "succeeded", run["reason"]
    task = aviary.app.api.get(f"/api/tasks/{run['task']}")
    assert (task["status"], task["badge"]) == ("review", "finished")
    said = [event["text"] for event in aviary.app.api.events(run["id"]) if event["kind"] == "text"]
    assert said == ["POLLY WANTS A CRACKER"]
    assert (run["backend"], run["model"], run["cli_version"]) == ("parrot", "quiet", "1.2.3")
    assert (run["input_tokens"], run["output_tokens"], run["cost_usd"]) == (4, 7, None)
    assert git(aviary.repo, "show", f"{task['branch']}:heard.txt") == "Polly wants a cracker"


def test_a_follow_up_goes_on_with_its_session(aviary: Aviary) -> None:
    first = aviary.run("one")
    again = aviary.app.api.run_task(first["task"], prompt="two", resume=True)
    second = aviary.app.api.wait_for_run(again["id"])
    assert second["state"] == "succeeded", second["reason"]
    assert second["cli_session"] == first["cli_session"]


def test_the_api_names_it_and_its_models(aviary: Aviary) -> None:
    document = aviary.app.api.get("/api/openapi.json")
    properties = document["components"]["schemas"]["TaskOut"]["properties"]
    assert properties["backend"]["enum"] == ["claude_code", "codex", "parrot"]

    def models() -> list[str]:
        lists = aviary.app.api.get("/api/models?backend=parrot")
        return [model["id"] for each in lists for model in each["models"]]

    wait_for(lambda: set(models()) == {"loud", "quiet"}, 30, "the models that it lists")


def test_the_form_offers_it(aviary: Aviary) -> None:
    assert 'value="parrot"' in aviary.app.login.get("/tasks/new")


def test_the_doctor_looks_for_it(aviary: Aviary) -> None:
    findings = aviary.app.api.post(f"/api/workspaces/{aviary.workspace}/check")
    found = {finding["name"]: finding for finding in findings}
    assert found["Parrot"]["ok"]
    assert found["Parrot"]["detail"].startswith("1.2.3, logged in (seeds). ")


def test_the_usage_page_links_to_its_console(aviary: Aviary) -> None:
    assert aviary.app.api.get("/api/usage")["console_urls"]["parrot"] == "https://parrot.invalid/plan"


def test_it_needs_no_migration(aviary: Aviary) -> None:
    assert "No changes" in aviary.app.manage("makemigrations", "--check", "--dry-run")
