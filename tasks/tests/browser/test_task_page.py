"""The task page: the conversation as it happens, also a very long one, and the panes around it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.browser import press
from aitask.tests.lab.wait import wait_for
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]
BUSY = "Upgrade to React 20"
MANY = 50_000
READ_ROW = """async (box) => {  // The row in the middle and its place, once all have their true heights.
    const middle = () => {
        const {left, top, width, height} = box.getBoundingClientRect();
        const row = document.elementFromPoint(left + width / 2, top + height / 2).closest('.ev');
        return [row?.dataset.place, row?.getBoundingClientRect().top];
    };
    for (let before = [], still = 0; still < 10; ) {
        await new Promise(requestAnimationFrame);
        const now = middle();
        still = now[0] && String(now) === String(before) ? still + 1 : 0;
        before = now;
    }
    return middle();
}"""


def say(site: Site, title: str, *texts: str) -> None:
    """The agent of a task says something."""
    site.do(
        f"run = Task.objects.get(title={title!r}).last_run\n"
        f"sample_board.write(run, [{{'kind': 'text', 'text': text}} for text in {texts!r}])\n"
        "doorbell.ring(f'task:{run.task_id}')"
    )


@pytest.fixture(scope="module")
def long_task(site: Site) -> str:
    """A run of fifty thousand events."""
    site.do(
        "workspace = Workspace.objects.get(name='dotfiles')\n"
        "run = sample_board.busy(workspace, 'A long story', 'writes', minutes=90).runs.get()\n"
        f"sample_board.write(run, [{{'kind': 'text', 'text': f'line {{n}}'}} for n in range(1, {MANY} + 1)])"
    )
    return f"/tasks/{site.pk_of('A long story')}"


def test_what_the_agent_says_appears_at_once_at_the_end(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of(BUSY)}")
    expect(page.locator(".ask")).to_contain_text("npm install react@20")
    say(site, BUSY, "I wait for **you**.")
    expect(page.locator("#rows > .ev").last).to_be_in_viewport()
    expect(page.locator("#rows strong", has_text="you")).to_be_visible()


def test_a_result_stands_behind_the_line_of_its_call(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of(BUSY)}")
    tool = page.locator(".tool", has_text="npm test")
    expect(tool.locator(".how")).to_have_text("exit 1 · 48s")
    expect(page.get_by_text("211 passed")).to_be_hidden()
    tool.locator("summary").click()
    expect(page.get_by_text("211 passed")).to_be_visible()
    expect(page.locator(".result:visible")).to_have_count(0)
    expect(page.locator("[data-tool='1-t2'] .how")).to_have_text("+3 −4")


def test_a_reader_who_scrolled_up_is_left_in_peace(site: Site, open_one: OpenPage, long_task: str) -> None:
    page = open_one(long_task)
    box = page.locator("#conversation")
    box.evaluate("e => e.scrollTop = e.scrollHeight - e.clientHeight - 900")
    expect(page.locator("#newest")).to_be_visible()
    settled = box.evaluate(READ_ROW)
    say(site, "A long story", "while you read")
    expect(page.locator("#newest")).to_contain_text("1 new")
    place, top = settled
    row = page.locator(f"[data-place='{place}']")
    assert abs(row.evaluate("e => e.getBoundingClientRect().top") - top) < 4
    page.locator("#newest").click()
    expect(page.get_by_text("while you read").last).to_be_in_viewport()
    expect(page.locator("#newest")).to_be_hidden()


def test_fifty_thousand_events_stay_light_and_can_all_be_reached(
    site: Site, open_one: OpenPage, long_task: str
) -> None:
    begun = time.monotonic()
    page = open_one(long_task)
    expect(page.locator("#rows > .ev").last).to_be_in_viewport()
    assert time.monotonic() - begun < 30
    box = page.locator("#conversation")
    seen = page.locator("#rows > .ev").first.get_attribute("data-place")
    for _ in range(8):
        box.evaluate("e => e.scrollTop = 0")
        first = page.locator("#rows > .ev").first
        expect(first).not_to_have_attribute("data-place", seen or "")
        seen = first.get_attribute("data-place")
    assert page.locator("#rows > *").count() <= 800
    press(page, "G")
    expect(page.locator("#rows > .ev").last).to_be_in_viewport()
    places = page.locator("#rows > .ev").evaluate_all(
        "rows => rows.map(r => Number(r.dataset.place.split('.')[1]))"
    )
    assert places == list(range(places[0], places[-1] + 1))
    assert places[-1] >= MANY


def test_scrolling_back_down_leaves_no_gap(open_one: OpenPage, long_task: str) -> None:
    page = open_one(long_task)
    box = page.locator("#conversation")
    last = page.locator("#rows > .ev").last.get_attribute("data-place")
    for _ in range(5):
        first = page.locator("#rows > .ev").first
        before = first.get_attribute("data-place") or ""
        box.evaluate("e => e.scrollTop = 0")
        expect(first).not_to_have_attribute("data-place", before)
    assert page.locator("#rows > .ev").last.get_attribute("data-place") != last

    def places() -> list[int]:
        box.evaluate("e => e.scrollTop = e.scrollHeight")
        numbers: list[int] = page.locator("#rows > .ev").evaluate_all(
            "rows => rows.map(r => Number(r.dataset.place.split('.')[1]))"
        )
        return numbers

    wait_for(lambda: places()[-1] >= MANY, 20, "the newest events", every=0.1)
    assert places() == list(range(places()[0], places()[-1] + 1))


def test_panes_fold_and_keep_their_width_over_a_reload(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of(BUSY)}")
    page.locator("[data-resizes=list]").focus()
    press(page, "ArrowRight")
    press(page, "ArrowRight")
    press(page, "]")
    expect(page.locator("#pane-side")).to_be_hidden()
    page.reload()
    expect(page.locator("#pane-side")).to_be_hidden()
    assert page.locator("#pane-list").evaluate("e => e.offsetWidth") == 288
    press(page, "]")
    expect(page.locator("#pane-side")).to_be_visible()


def test_j_and_k_go_through_the_tasks(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of('Explain the retry policy in the README')}")
    press(page, "j")
    page.wait_for_url(f"**/tasks/{site.pk_of('Replace the hand-written argument parser')}")
    press(page, "k")
    page.wait_for_url(f"**/tasks/{site.pk_of('Explain the retry policy in the README')}")
    press(page, "Escape")
    page.wait_for_url(f"{site.url}/")


def test_a_task_is_run_again_with_other_words(site: Site, open_one: OpenPage) -> None:
    pk = site.pk_of("Log slow queries with their plan")
    page = open_one(f"/tasks/{pk}")
    press(page, "r")
    box = page.locator("#run-task textarea")
    box.fill("Only those over a second.")
    page.get_by_label("Continue this conversation").check()
    page.locator("#run-task").get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#head")).to_contain_text("Starting")
    assert site.do(f"run = Task.objects.get(pk={pk}).last_run; result = [run.prompt, run.resumes]") == [
        "Only those over a second.",
        "c0ffee",
    ]


def test_a_lost_link_is_told_and_taken_back(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of(BUSY)}")
    change = "Host.objects.filter(alias='cloud').update(link={!r}); doorbell.ring('hosts', 'board')"
    site.do(change.format("down"))
    expect(page.locator("#head")).to_contain_text("Link to cloud lost")
    site.do(change.format("up"))
    expect(page.locator("#head")).not_to_contain_text("Link to cloud lost")


def test_two_windows_show_one_title_and_do_not_overwrite_each_other(site: Site, open_one: OpenPage) -> None:
    pk = site.do(
        "workspace = Workspace.objects.get(name='dotfiles')\n"
        "result = factories.make_task(workspace=workspace, title='Sort the aliases', prompt='By name.').pk"
    )
    page, other = open_one(f"/tasks/{pk}"), open_one(f"/tasks/{pk}")
    press(page, "e")
    page.get_by_label("Prompt").fill("By length.")

    press(other, "e")
    other.get_by_label("Title", exact=True).fill("Sort all aliases")
    other.get_by_label("Prompt").fill("By use.")
    other.get_by_role("button", name="Save").click()
    expect(other.locator(".taskhead h1")).to_have_text("Sort all aliases")
    expect(page.locator(".taskhead h1")).to_have_text("Sort all aliases", timeout=60_000)

    page.reload()  # what was written is a draft that knows what it was about
    press(page, "e")
    expect(page.get_by_label("Prompt")).to_have_value("By length.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".edit-conflict")).to_contain_text("By use.")
    expect(page.get_by_label("Prompt")).to_have_value("By length.")
    page.get_by_role("button", name="Use this").click()
    expect(page.get_by_label("Prompt")).to_have_value("By use.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#edit-task")).to_be_hidden()
    assert site.do(f"result = Task.objects.get(pk={pk}).prompt") == "By use."
    site.do(f"Task.objects.filter(pk={pk}).delete()")


def test_changes_and_attempts_show_a_title_and_a_run_that_come_from_elsewhere(
    site: Site, open_one: OpenPage
) -> None:
    first, second = site.do(
        "import uuid\n"
        "place = dict(workspace=Workspace.objects.get(name='storefront'), attempt_group=uuid.uuid4())\n"
        "result = [factories.make_task(**place, title='Two ways', branch=f'way-{n}', attempt=n).pk"
        " for n in (1, 2)]"
    )
    changes, attempts = open_one(f"/tasks/{first}/changes"), open_one(f"/tasks/{first}/attempts")
    site.do(
        "from tasks import editing\n"
        f"editing.update_task(Task.objects.get(pk={first}), user=User.objects.get(username='ada'),"
        " title='Two good ways')"
    )
    for page in (changes, attempts):
        expect(page.get_by_role("heading", name="Two good ways")).to_be_visible()
        expect(page).to_have_title(re.compile("Two good ways · AI Task Manager$"))
    expect(attempts.locator(".attempt", has_text="Attempt 2")).to_contain_text("not started")
    site.do(
        f"factories.make_run(task=Task.objects.get(pk={second}), state='running')\n"
        f"doorbell.ring('task:{second}')"
    )
    expect(attempts.locator(".attempt", has_text="Attempt 2")).to_contain_text("Working")
    site.do(f"Task.objects.filter(pk__in=[{first}, {second}]).delete()")


def test_an_open_request_stands_once(site: Site, open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{site.pk_of('Upgrade to React 20')}")
    expect(page.get_by_text("Wants to run a command").locator("visible=true")).to_have_count(1)
