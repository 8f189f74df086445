"""What calls for a person, on every page: the count, and notifications told once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import Chromium, open_browser, press
from aitask.tests.lab.wait import wait_for
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
NOTED = """() => {
    window.told = [];
    window.Notification = class { constructor(title, options) { window.told.push([title, options.tag]); } };
    window.Notification.permission = 'granted';
    navigator.serviceWorker.getRegistration = async () => undefined;
    localStorage.setItem('aitask-attention', '{"kinds":["needs_you","failed"],"sound":false,"push":false}');
}"""
ASK = """
run = Run.objects.get(task__title='Calls for you')
from tasks.runs.follower.store import save_events
save_events(run.pk, [{'v': 1, 'seq': run.last_seq + 1, 'at': '2026-11-22T08:00:00.000Z', 'kind': 'request',
    'id': 'ask-%d' % run.last_seq, 'request_kind': 'approval', 'tool': 'Bash', 'title': 'make test',
    'input': {'command': 'make test'}, 'can_edit': True, 'can_allow_for_run': True}],
    start=run.event_offset, end=run.event_offset + 1)
result = [run.task_id, run.task.title]
"""
CLOSE = """
run = Run.objects.get(task__title='Calls for you')
from tasks.runs.follower.store import save_events
save_events(run.pk, [{'v': 1, 'seq': run.last_seq + 1, 'at': '2026-11-22T08:00:00.000Z', 'by': 'keyboard',
    'kind': 'request_closed', 'id': run.open_requests[0]['id'], 'decision': 'allow'}],
    start=run.event_offset, end=run.event_offset + 1)
"""
PRESSES_WHEN_IT_GOES = """() => {
    const gone = document.activeElement;
    new MutationObserver(() => {
        if (gone.isConnected) return;
        const key = new KeyboardEvent('keydown', { key: 'a', bubbles: true });
        document.activeElement.dispatchEvent(key);
    }).observe(document.getElementById('inbox'), { childList: true });
}"""
SILENT = """
from datetime import timedelta
from django.utils import timezone
run = Run.objects.get(task__title='Calls for you')
Run.objects.filter(pk=run.pk).update(last_event_at=timezone.now() - timedelta(minutes=12, seconds=5))
result = run.task_id
"""
SPOKEN = """
run = Run.objects.get(task__title='Calls for you')
from tasks.runs.follower.store import save_events
save_events(run.pk, [{'v': 1, 'seq': 1, 'at': '2026-11-22T08:00:00.000Z', 'kind': 'thinking', 'text': 'Hm.'}],
    start=run.event_offset, end=run.event_offset + 1)
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with open_browser(has_notifications=True) as browser:
        yield browser


@pytest.fixture(autouse=True)
def task(site: Site) -> Iterator[None]:
    site.do(
        "from django.utils import timezone\n"
        "place = Workspace.objects.first()\n"
        "task = factories.make_task(workspace=place, title='Calls for you', status='running')\n"
        "factories.make_run(task=task, state='running', run_dir='/r', started_at=timezone.now())"
    )
    yield
    site.do("Task.objects.get(title='Calls for you').delete(); doorbell.ring('board')")


def test_a_request_is_counted_in_navigation_title_and_icon(site: Site, open_one: OpenPage) -> None:
    page = open_one("/workspaces")
    count = page.locator("#needs-count")
    expect(count).not_to_be_empty()
    before = int(count.inner_text())
    site.do(ASK)
    expect(count).to_have_text(str(before + 1))
    assert page.title().startswith(f"({before + 1}) ")
    assert str(page.locator("link[rel=icon]").get_attribute("href")).startswith("data:image/svg+xml")


def test_a_busy_agent_that_says_nothing_is_marked_and_left_alone(site: Site, open_one: OpenPage) -> None:
    pk = site.do(SILENT)
    page = open_one("/")
    mark = page.locator(f"#card-{pk} .silent")
    expect(mark).to_have_text("Silent for 12 min")
    page.goto(f"/tasks/{pk}")
    expect(page.locator("#head .silent")).to_have_text("Silent for 12 min")
    site.do(SPOKEN)
    expect(page.locator("#head .silent")).to_be_hidden()
    page.goto("/")
    expect(page.locator(f"#card-{pk}")).to_be_visible()
    expect(mark).to_be_hidden()
    left = "run = Run.objects.get(task__title='Calls for you')\nresult = [run.state, run.cancel_requested_at]"
    assert site.do(left) == ["running", None]


def test_the_worker_tells_it_when_no_page_is_seen(site: Site, open_one: OpenPage) -> None:
    page = open_one("/workspaces")
    page.context.grant_permissions(["notifications"], origin=site.url)
    page.evaluate("navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)")
    devtools = page.context.new_cdp_session(page)
    registrations: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda said: registrations.extend(each["registrationId"] for each in said["registrations"]),
    )
    devtools.send("ServiceWorker.enable")

    def is_registered() -> bool:
        page.wait_for_timeout(50)  # lets the browser tell
        return bool(registrations)

    wait_for(is_registered, 20, "the registration")

    def push(tag: str) -> None:
        news = {"title": "An agent needs you", "body": "make test", "tag": tag, "url": "/inbox"}
        said = {"origin": site.url, "registrationId": registrations[0], "data": json.dumps(news)}
        devtools.send("ServiceWorker.deliverPushMessage", said)

    push("while it is seen")
    page.goto("about:blank")
    for _ in range(2):
        push("while no page is open")
    page.goto(f"{site.url}/workspaces")
    shown = (
        "navigator.serviceWorker.ready.then((found) => found.getNotifications())"
        ".then((all) => all.map((each) => each.tag))"
    )
    wait_for(lambda: page.evaluate(shown), 20, "a notification")
    assert page.evaluate(shown) == ["while no page is open"]


def test_it_is_told_once_and_not_on_the_page_that_is_looked_at(site: Site, open_one: OpenPage) -> None:
    page = open_one("/workspaces")
    expect(page.locator("#needs-count")).not_to_be_empty()
    page.evaluate(NOTED)
    _, title = site.do(ASK)
    wait_for(lambda: page.evaluate("window.told.length") == 1, 20, "a notification")
    assert page.evaluate("window.told[0][0]") == f"An agent needs you: {title}"
    page.goto("/inbox")
    expect(page.locator(".asked").first).to_be_visible()
    page.evaluate(NOTED)
    asks = page.locator(".asked .from a")
    known = asks.count()
    site.do(ASK)
    expect(asks).to_have_count(known + 1)
    decided = "localStorage.getItem('aitask-told') === sessionStorage.getItem('aitask-heard')"
    wait_for(lambda: page.evaluate(decided), 20, "the page's decision whether to notify")
    assert page.evaluate("window.told") == []


def test_a_long_input_is_allowed_after_it_was_opened(site: Site, open_one: OpenPage) -> None:
    long = "echo one step after the other; " * 200 + "rm -rf ~"
    site.do(ASK.replace("'command': 'make test'", f"'command': {long!r}"))
    page = open_one("/inbox")
    asked = page.locator(".asked", has_text="one step after the other")
    asked.focus()
    sent: list[str] = []
    page.on(
        "request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None
    )
    press(page, "a")
    expect(page.get_by_text("Not all of it is shown.")).to_be_visible()
    expect(asked.locator(".given")).not_to_contain_text("rm -rf ~")
    assert sent == []
    asked.get_by_role("link", name=f"Show all {len(long):,} characters").click()
    expect(asked.locator(".given")).to_contain_text("rm -rf ~")
    expect(asked.locator("[aria-disabled]")).to_have_count(0)
    press(page, "a")
    wait_for(lambda: len(sent) == 1 and "digest=" in sent[0], 20, "the answer with its digest")


def test_a_key_that_was_meant_for_a_request_that_has_just_gone_answers_no_other(
    site: Site, open_one: OpenPage
) -> None:
    for command in ("make one", "make two"):
        site.do(ASK.replace("make test", command))
    page = open_one("/inbox")
    page.locator(".asked", has_text="make one").focus()
    answers: list[str] = []
    page.on("request", lambda request: answers.append(request.url) if request.method == "POST" else None)
    page.evaluate(PRESSES_WHEN_IT_GOES)
    site.do(CLOSE)
    expect(page.get_by_text("This list changed")).to_be_visible()
    expect(page.locator(".asked:focus")).to_be_visible()
    assert answers == []


ENDED = """
from django.utils import timezone
for state in ('succeeded', 'failed'):
    task = factories.make_task(workspace=Workspace.objects.get(name='dotfiles'), status='review',
                               title='Look at what ' + state)
    factories.make_run(task=task, state=state, finished_at=timezone.now())
doorbell.ring('board')
"""


def test_ended_runs_are_cleared_by_keys_and_come_back_by_undo(site: Site, open_one: OpenPage) -> None:
    page = open_one("/inbox/finished")
    site.do(ENDED)
    row = page.locator(".result", has_text="Look at what succeeded")
    expect(row).to_be_visible(timeout=60_000)
    before = int(page.locator("[data-count=finished]").inner_text())
    row.focus()
    press(page, "s")
    expect(row).to_have_count(0, timeout=60_000)
    expect(page.locator("[data-count=finished]")).to_have_text(str(before - 1))
    press(page, "z")
    expect(row).to_be_visible(timeout=60_000)
    press(page, "]")
    page.wait_for_url("**/inbox/failed")
    row = page.locator(".result", has_text="Look at what failed")
    row.focus()
    press(page, "Enter")
    page.wait_for_url("**/tasks/*")
