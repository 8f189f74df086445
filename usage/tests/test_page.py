"""The page of usage, as each kind of reader gets it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from tasks.models import Run, Task
from tasks.runs import dispatch
from tasks.tests.factories import make_run, make_task, make_workspace
from tasks.tests.people import People, browser_of, send
from usage import limits
from usage.models import Audit, Budget, LimitReading, Postponed
from usage.tests.rows import merged, used
from workspaces.hostkit.wire import PlanWindow

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return People()


def text_of(response: object) -> str:
    assert getattr(response, "status_code", 0) == 200
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def test_without_any_run_it_says_so(people: People) -> None:
    assert "No runs in this period" in text_of(people.browser("owner").get("/usage"))


def test_without_a_workspace_it_works(people: People) -> None:
    assert "Add a workspace" in text_of(people.browser("stranger").get("/usage"))


def test_one_run_is_shown_with_its_cost(people: People) -> None:
    used(people.task, cost_usd=Decimal("1.25"), queued_at=timezone.now())
    page = text_of(people.browser("member").get("/usage"))
    assert "$1.25" in page
    assert "claude-sonnet-4-5" in page
    assert 'style="' not in page


def test_an_unknown_price_is_no_zero(people: People) -> None:
    used(people.task, model="mine", queued_at=timezone.now())
    page = text_of(people.browser("owner").get("/usage"))
    assert "unknown" in page
    assert "$0.00" not in page


def test_strangers_see_nothing_of_it(people: People) -> None:
    used(people.task, cost_usd=Decimal("1.25"), queued_at=timezone.now())
    assert "$1.25" not in text_of(people.browser("stranger").get("/usage"))
    assert people.browser("stranger").get(f"/usage?workspace={people.workspace.pk}").status_code == 404
    assert people.browser("nobody").get("/usage").status_code == 302


def test_days_are_those_of_the_zone_that_the_browser_told(people: People) -> None:
    browser = people.browser("owner")
    browser.cookies["aitask_zone"] = "Europe%2FBerlin"
    assert "in the time zone Europe/Berlin" in text_of(browser.get("/usage"))


@pytest.mark.parametrize(
    "query",
    [
        "from=x",
        "from=2026-02-01&to=2026-01-01",
        "days=99999",
        "from=0001-01-01",
        "to=0001-01-01",
        "days=0",
    ],
)
def test_a_range_that_makes_no_sense_is_told_and_the_last_thirty_days_are_shown(
    people: People, query: str
) -> None:
    browser = people.browser("owner")
    assert "Showing the last 30 days." in text_of(browser.get(f"/usage?{query}"))
    assert browser.get(f"/usage.csv?{query}").status_code == 400
    if "days" not in query:
        assert browser.get(f"/api/usage?{query}").status_code in (409, 422)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc"])
def test_the_api_knows_no_zone_that_does_not_exist(people: People, zone: str) -> None:
    browser = people.browser("owner")
    assert "in the time zone UTC" in text_of(browser.get(f"/usage?tz={zone}"))
    assert browser.get(f"/api/usage?tz={zone}").status_code == 409


@pytest.mark.parametrize(
    ("days", "title"), [(62, "Tokens per day"), (63, "Tokens per week"), (435, "Tokens per 30 days")]
)
def test_a_plot_says_how_many_days_a_bar_stands_for(people: People, days: int, title: str) -> None:
    used(people.task, queued_at=timezone.now())
    assert f"{title}, by model" in text_of(people.browser("owner").get(f"/usage?days={days}"))


def test_a_subscription_says_that_it_is_no_bill(people: People) -> None:
    source = limits.source_for(people.workspace, "claude_code")
    source.account, source.asked_at = "max", timezone.now()
    source.save()
    windows: list[PlanWindow] = [
        {"window": "five_hour", "used_percent": 91.0, "resets_at": "2030-03-17T17:46:40.000Z"}
    ]
    limits.store(source, windows, timezone.now(), LimitReading.Origin.ASKED)
    page = text_of(people.browser("owner").get("/usage?tz=Europe/Berlin"))
    assert "a value, not a bill" in page
    assert "91 %" in page
    assert "17 Mar, 18:46" in page


def test_a_login_that_tells_limits_only_in_runs_is_a_subscription_too(people: People) -> None:
    source = limits.source_for(people.workspace, "codex")
    limits.store(source, [{"window": "5h", "used_percent": 3}], timezone.now(), LimitReading.Origin.RUN)
    page = text_of(people.browser("owner").get("/usage"))
    assert "On a subscription plan (Codex)" in page
    assert "reported during a run" in page.lower()


def test_with_an_api_key_it_says_why_there_are_no_limits(people: People) -> None:
    source = limits.source_for(people.workspace, "claude_code")
    source.asked_at, source.error = timezone.now(), "With a key there are no plan limits."
    source.save()
    used(people.task, cost_usd=Decimal("1.25"), queued_at=timezone.now())
    page = text_of(people.browser("owner").get("/usage"))
    assert "With a key there are no plan limits." in page
    assert "not a bill" not in page
    assert "https://console.anthropic.com/settings/usage" in page


def test_with_the_host_down_the_last_values_stay_with_their_age(people: People) -> None:
    source = limits.source_for(people.workspace, "claude_code")
    source.asked_at, source.error = timezone.now(), "No link to cloud: connection refused."
    source.save()
    before = timezone.now() - timedelta(hours=3, minutes=1)
    resets = (timezone.now() + timedelta(hours=1)).isoformat()
    windows: list[PlanWindow] = [{"window": "five_hour", "used_percent": 71.0, "resets_at": resets}]
    limits.store(source, windows, before, LimitReading.Origin.ASKED)
    page = text_of(people.browser("owner").get("/usage"))
    assert "These values are old; the last refresh failed: No link to cloud: connection refused." in page
    assert "71 %" in page
    assert "3h ago" in page


def test_an_estimate_names_its_prices_and_their_date(people: People) -> None:
    used(people.task, model="gpt-5.5", backend="codex", queued_at=timezone.now())
    page = text_of(people.browser("owner").get("/usage"))
    assert "estimated with genai-prices" in page
    assert "prices checked until 20" in page


def test_merged_tasks_are_bars_that_lead_to_them_and_tell_an_estimate_apart(people: People) -> None:
    other = make_task(workspace=people.workspace, title="Round the amounts", backend="codex")
    for task in (people.task, other):
        merged(task, timezone.now())
    used(people.task, cost_usd=Decimal("0.004"), queued_at=timezone.now())
    used(other, model="gpt-5.5", queued_at=timezone.now())  # a tenth of a cent, estimated
    page = text_of(people.browser("owner").get("/usage"))
    bars = page[page.index('id="merged"') : page.index('class="tables"')]
    assert f'href="/tasks/{people.task.pk}"' in bars
    assert bars.index(people.task.title) < bars.index("Round the amounts")
    assert '<rect class="s0" width="100.0"' in bars
    assert '<rect class="guess" x="0.0" width="25.0"' in bars
    assert '<span title="estimated"> ≈ &lt;$0.01 </span>' in bars
    assert "2 tasks were merged in this period" in bars


def test_without_a_merge_the_plot_says_so(people: People) -> None:
    used(people.task, queued_at=timezone.now())
    page = text_of(people.browser("owner").get("/usage"))
    assert "No tasks were merged in this period." in page
    assert "<dt>Cost per merged task</dt>" not in page


def test_the_audit_tells_side_requests_and_broken_answers_apart(people: People) -> None:
    Audit.objects.create(workspace=people.workspace, sessions=3, side_tokens=4200, untold=1)
    page = text_of(people.browser("owner").get("/usage"))
    assert "are in the totals but in no transcript: 4.2k tokens" in page
    assert "1 interrupted answer:" in page


def test_the_chip_of_the_board_tells_today(people: People) -> None:
    used(people.task, cost_usd=Decimal("1.25"), queued_at=timezone.now())
    used(people.task, cost_usd=Decimal("9"), queued_at=timezone.now() - timedelta(days=2), number=2)
    chip = text_of(people.browser("owner").get("/usage/card"))
    assert "370" in chip
    assert "$1.25" in chip


def test_a_card_says_that_a_budget_holds_it_until_a_person_lifts_it(people: People) -> None:
    used(people.task, cost_usd=Decimal("1.25"), queued_at=timezone.now())
    Budget.objects.create(workspace=people.workspace, day_usd=1)
    queued = make_run(task=make_task(workspace=people.workspace, status="queued"))
    dispatch.start_queued(people.workspace.pk)
    browser = people.browser("member")
    assert "Held: the budget is used up ($1.25 of $1.00 today)" in text_of(browser.get("/"))
    assert send(browser, f"/workspaces/{people.workspace.pk}/budget/lift").status_code == 204
    dispatch.start_queued(people.workspace.pk)
    queued.refresh_from_db()
    assert queued.state == "starting"
    assert "lifted until" in text_of(browser.get("/usage"))


def test_the_download_has_a_line_per_day_and_model(people: People) -> None:
    now = timezone.now()
    times = {"queued_at": now, "started_at": now, "finished_at": now + timedelta(seconds=90)}
    used(people.task, cost_usd=Decimal("1.25"), **times)
    lines = csv_of(people, "/usage.csv")
    assert lines[0][:7] == ["day", "workspace", "cli", "model", "runs", "seconds", "input_tokens"]
    amounts = ["1", "90", "10", "20", "300", "40", "0", "1.250000", "reported", "0"]
    assert lines[1][1:] == [people.workspace.name, "claude_code", "claude-sonnet-4-5", *amounts]


def test_the_download_by_task_holds_no_formula(people: People) -> None:
    title = '=HYPERLINK("http://x.invalid"), and\nmore'
    Task.objects.filter(pk=people.task.pk).update(title=title)
    used(people.task, queued_at=timezone.now())
    lines = csv_of(people, "/usage.csv?by=task")
    assert [line[:2] for line in lines] == [["task", "title"], [str(people.task.pk), f"'{title}"]]


def csv_of(people: People, address: str) -> list[list[str]]:
    response: Any = people.browser("owner").get(address)
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode(), newline="")))


def test_only_the_owner_sets_a_budget(people: People) -> None:
    address = f"/workspaces/{people.workspace.pk}/budget"
    given = {f"w{people.workspace.pk}-day_usd": "5"}
    assert send(people.browser("member"), address, **given).status_code == 403
    assert send(people.browser("stranger"), address, **given).status_code == 404
    assert send(people.browser("owner"), address, **given).status_code == 204
    people.workspace.refresh_from_db()
    assert people.workspace.budget.day_usd == 5


def test_a_budget_of_nonsense_is_refused_in_words(people: People) -> None:
    address = f"/workspaces/{people.workspace.pk}/budget"
    given = {f"w{people.workspace.pk}-hold_above_percent": "101"}
    refused = send(people.browser("owner"), address, **given)
    assert refused.status_code == 409
    assert "Stop starting runs above: The maximum is 100 %." in refused["HX-Trigger"]


def test_resume_at_reset_queues_a_run_that_waits_and_can_be_taken_back(people: People) -> None:
    reset = timezone.now() + timedelta(hours=2)
    fields = {"state": "failed", "reason_code": "limit", "limit_resets_at": reset, "cli_session": "abc"}
    Task.objects.filter(pk=people.task.pk).update(status="review")
    used(people.task, **fields, reason="You've hit your session limit")
    browser = people.browser("member")
    assert f'hx-post="/tasks/{people.task.pk}/resume-at-reset"' in text_of(browser.get("/"))
    assert send(browser, f"/tasks/{people.task.pk}/resume-at-reset").status_code == 204
    run = Run.objects.get(task=people.task, state="queued")
    assert run.resumes == "abc"
    assert run.postponed.not_before == reset
    assert send(browser, f"/tasks/{people.task.pk}/resume-at-reset").status_code == 409
    assert send(browser, f"/tasks/{people.task.pk}/unqueue").status_code == 204
    assert not Run.objects.filter(state="queued").exists()
    assert send(browser, f"/tasks/{people.task.pk}/resume-at-reset").status_code == 204


@pytest.mark.parametrize(
    ("hours", "offered", "not_offered"),
    [
        (2, ["Resume at reset,", "Retry now"], []),
        (-2, ["</svg> Resume </button>"], ["Resume at reset", "Retry now"]),
    ],
)
def test_what_a_limit_has_ended_goes_on_at_the_reset_or_when_that_is_over_at_once(
    people: People, hours: int, offered: list[str], not_offered: list[str]
) -> None:
    reset = timezone.now() + timedelta(hours=hours)
    used(people.task, state="failed", reason_code="limit", limit_resets_at=reset, cli_session="abc")
    page = text_of(people.browser("member").get(f"/tasks/{people.task.pk}"))
    assert all(words in page for words in offered)
    assert not any(words in page for words in not_offered)


def test_a_card_tells_when_it_starts_as_a_time_that_the_page_puts_into_the_readers_zone(
    people: People,
) -> None:
    queued = make_run(task=make_task(workspace=people.workspace, status="queued"))
    Postponed.objects.create(run=queued, not_before=datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC))
    dispatch.start_queued(people.workspace.pk)
    words = 'Starts at <time datetime="2030-03-17T17:46:00+00:00" data-at>17 Mar, 17:46 UTC</time>, when'
    for address in ("/", f"/tasks/{queued.task_id}"):
        assert words in text_of(people.browser("member").get(address))


def test_a_run_that_ended_otherwise_can_not_wait_for_a_reset(people: People) -> None:
    used(people.task)
    assert send(people.browser("member"), f"/tasks/{people.task.pk}/resume-at-reset").status_code == 409


def test_the_api_answers_the_pinned_shape(people: People) -> None:
    used(people.task, cost_usd=Decimal("1.25"), queued_at=timezone.now())
    used(make_task(workspace=make_workspace()), queued_at=timezone.now())
    said = browser_of(people.owner).get(f"/api/usage?workspace={people.workspace.pk}").json()
    assert said["totals"]["runs"] == 1
    assert said["totals"]["cost_usd"] == 1.25
    assert {"totals", "by_workspace", "by_model", "by_day", "limits", "console_urls"} <= set(said)
    assert len(said["by_day"]) == 30
    assert said["from"] == said["by_day"][0]["day"]


def test_the_api_tells_what_merged_tasks_cost(people: People) -> None:
    used(merged(people.task, timezone.now()), cost_usd=Decimal("1.25"), queued_at=timezone.now())
    said = browser_of(people.owner).get("/api/usage").json()
    (task,) = said["by_merged_task"]
    assert (task["task"], task["cost_usd"], task["cost_source"]) == (people.task.pk, 1.25, "reported")
    assert (said["merged_tasks"], said["cost_per_merged_task_usd"]) == (1, 1.25)


def test_a_plan_that_was_told_stands_in_the_api(people: People) -> None:
    source = limits.source_for(people.workspace, "codex")
    windows: list[PlanWindow] = [
        {"window": "primary", "used_percent": 42, "resets_at": "2030-03-17T17:46:40+00:00"}
    ]
    limits.store(source, windows, timezone.now(), LimitReading.Origin.RUN)
    (limit,) = browser_of(people.owner).get("/api/usage").json()["limits"]
    assert (limit["host"], limit["backend"], limit["used_percent"]) == ("local", "codex", 42)
    assert limit["source"] == "run"
