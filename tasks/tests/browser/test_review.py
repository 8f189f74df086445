"""Reviewing, merging and worktrees as a person does it: differences, comments, verdicts, trains."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import press
from aitask.tests.lab.wait import wait_for
from tasks.tests.browser.site import Site
from tasks.tests.browser.test_board import column, drag

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def shop(site: Site) -> Iterator[dict[str, int]]:
    """Tasks with real branches, by their short names; they leave the other modules' board again."""
    folder = site.app.folder / "shop"
    made: dict[str, int] = site.do(
        f"from tasks.tests.review import window; result = window.build({str(folder)!r}, 'ada')"
    )
    yield made
    site.do(f"Workspace.objects.filter(pk={made['workspace']}).delete()")


def work(site: Site, words: str) -> Any:
    return site.do(f"from tasks.tests.review import window; result = {words}")


def pages_of(shop: dict[str, int], train: int) -> list[str]:
    place = f"/workspaces/{shop['workspace']}"
    own = [f"/tasks/{shop[name]}/changes" for name in ("rounding", "currencies", "log")]
    return [
        *own,
        f"/tasks/{shop['rounding']}",
        f"{place}/merge",
        f"{place}/worktrees",
        f"/merge-trains/{train}",
    ]


def wait_for_content(page: Page) -> None:
    """What is read from the host is there."""
    for waiting in ("Loading changes…", "Loading worktrees from the host…"):
        expect(page.get_by_text(waiting, exact=True)).to_be_hidden()


@pytest.fixture(scope="module")
def train(site: Site, shop: dict[str, int]) -> int:
    """One that merged, met a conflict and a failing check."""
    tasks = ", ".join(str(shop[name]) for name in ("rounding", "currencies", "check"))
    return int(work(site, f"window.merge({tasks})"))


def test_lines_get_comments_that_go_to_the_agent_together(
    site: Site, shop: dict[str, int], open_one: OpenPage
) -> None:
    page = open_one(f"/tasks/{shop['currencies']}/changes")
    code = page.locator(".file", has_text="totals.py")
    expect(code.locator(".h-k", has_text="return").first).to_be_visible()
    code.locator("button[data-side=new]").last.click()
    page.get_by_label(re.compile("On line")).fill("Say which currency.")
    page.get_by_role("button", name="Add comment").click()
    expect(code.locator(".comment")).to_contain_text("Say which currency.")
    expect(page.locator("#ask-for-changes [data-drafts]")).to_have_text("1")
    page.reload()
    expect(code.locator(".comment")).to_contain_text("draft")
    press(page, "b")
    expect(page.get_by_text("Sent together with your comment.")).to_be_visible()
    page.get_by_role("button", name="Send to the agent").click()
    expect(page.locator(".toast")).to_contain_text("Changes requested")
    prompt = site.do(f"result = Run.objects.filter(task={shop['currencies']}).last().prompt")
    assert "`invoice/totals.py`, line" in prompt
    assert "Say which currency." in prompt
    site.do(f"Run.objects.filter(task={shop['currencies']}, state__in=Run.LIVE).delete()")
    site.do(f"Task.objects.filter(pk={shop['currencies']}).update(status='review')")


def test_a_link_to_a_file_opens_the_changes_at_it(shop: dict[str, int], open_one: OpenPage) -> None:
    """As results of the search have it."""
    page = open_one(f"/tasks/{shop['currencies']}/changes")
    last = page.locator(".file").last
    place = last.get_attribute("id")
    page.goto(f"/tasks/{shop['currencies']}/changes?again#{place}")
    expect(page.locator(f"#{place} summary")).to_be_focused()


def write_comment(page: Page, text: str) -> None:
    code = page.locator(".file", has_text="totals.py")
    code.locator("button[data-side=new]").last.click()
    page.get_by_label(re.compile("On line")).fill(text)
    page.get_by_role("button", name="Add comment").click()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda route: route.abort(), "The server did not respond."),
        (
            lambda route: route.fulfill(body="<h1>Our proxy</h1>", content_type="text/html"),
            "The response did not come from the server.",
        ),
        (lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"), "error 502"),
    ],
    ids=["no answer", "a proxy's page", "a proxy's error"],
)
def test_a_comment_that_does_not_arrive_stays_in_its_box(
    shop: dict[str, int], open_one: OpenPage, answer: Callable[[Route], None], told: str
) -> None:
    page = open_one(f"/tasks/{shop['currencies']}/changes")
    page.route("**/comments", answer)
    write_comment(page, "Say which currency.")
    expect(page.locator(".toast")).to_contain_text(told)
    expect(page.get_by_label(re.compile("On line"))).to_have_value("Say which currency.")
    expect(page.locator(".comment.draft")).to_have_count(0)


def test_a_comment_is_kept_when_the_login_has_ended(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{shop['currencies']}/changes")
    page.route("**/comments", lambda route: route.fulfill(status=302, headers={"Location": "/login"}))
    with page.expect_navigation():
        write_comment(page, "Say which currency.")
    page.locator(".file", has_text="totals.py").locator("button[data-side=new]").last.click()
    expect(page.get_by_label(re.compile("On line"))).to_have_value("Say which currency.")


def test_a_mark_that_does_not_arrive_is_taken_back(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{shop['currencies']}/changes")
    page.route("**/viewed", lambda route: route.abort())
    mark = page.locator(".file", has_text="totals.py").get_by_label("Viewed")
    mark.click()
    expect(page.locator(".toast")).to_contain_text("The server did not respond.")
    expect(mark).not_to_be_checked()


def test_a_viewed_file_is_folded_and_stays_so(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{shop['log']}/changes")
    moved = page.locator(".file", has_text="moved.txt")
    expect(moved).to_contain_text("part000/file00004.txt")
    with page.expect_response("**/viewed"):
        page.locator(".file", has_text="file00003.txt").get_by_label("Viewed").check()
    page.reload()
    seen = page.locator(".file", has_text="file00003.txt")
    expect(seen.get_by_label("Viewed")).to_be_checked()
    expect(seen.locator(".filebody")).to_be_hidden()
    seen.get_by_label("Viewed").uncheck()
    page.get_by_role("button", name="Side by side").click()
    expect(seen.locator("table.split")).to_be_visible()
    page.get_by_role("button", name="Side by side").click()
    expect(seen.locator("table.unified")).to_be_visible()


def test_a_verdict_is_a_click_away_and_can_be_taken_back(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{shop['check']}/changes")
    page.locator("#accept").click()
    expect(page.locator("#reviewbar")).to_contain_text("Accepted")
    page.get_by_role("button", name="Undo accept").click()
    expect(page.locator("#accept")).to_be_visible()
    page.get_by_role("button", name="More about this work").click()
    page.get_by_role("button", name="Discard…").click()
    expect(page.locator("#confirm")).to_contain_text("rescue ref")
    page.locator("#confirm").get_by_role("button", name="Cancel").click()


def test_verdicts_come_when_the_run_has_ended(site: Site, shop: dict[str, int], open_one: OpenPage) -> None:
    task = shop["currencies"]
    site.do(f"Run.objects.filter(task={task}).update(state='running')")
    page = open_one(f"/tasks/{task}")
    bar = page.locator("#reviewbar")
    expect(bar).to_contain_text("A run is in progress")
    expect(bar.locator("#accept")).to_have_count(0)
    site.do(
        f"Run.objects.filter(task={task}).update(state='succeeded')\ndoorbell.ring('task:{task}', 'board')"
    )
    expect(bar.locator("#accept")).to_be_visible()


def line_of(page: Page, words: str) -> Locator:
    return page.locator(".file", has_text="totals.py").locator("tr", has_text=words).last


def set_back(site: Site, task: int) -> None:
    site.do(f"Run.objects.filter(task={task}, state__in=Run.LIVE).delete()")
    site.do(f"Task.objects.filter(pk={task}).update(status='review')")


def test_a_review_with_one_comment_takes_four_clicks_and_keys_and_the_next_one_more(
    site: Site, shop: dict[str, int], open_one: OpenPage
) -> None:
    page = open_one(f"/tasks/{shop['currencies']}")
    line_of(page, "in_own_currency").hover()
    line_of(page, "in_own_currency").locator("button[data-line]").click()  # the first
    page.keyboard.type("Say which currency.")
    press(page, "Control+Enter")  # the second
    expect(page.locator(".comment.draft")).to_contain_text("Say which currency.")
    press(page, "b")  # the third
    expect(page.get_by_text("Sent together with your comment.")).to_be_visible()
    press(page, "Control+Enter")  # the fourth
    expect(page.locator(".toast")).to_contain_text("Changes requested")
    expect(page.locator("#conversation")).to_be_visible()
    press(page, ".")
    page.wait_for_url(lambda url: not url.endswith(f"/tasks/{shop['currencies']}"))
    expect(page.locator("#accept")).to_be_visible()
    set_back(site, shop["currencies"])


@pytest.mark.parametrize("page_of", ["/tasks/{}", "/tasks/{}/changes"])
def test_accepting_and_going_on_is_a_key_each(
    site: Site, shop: dict[str, int], open_one: OpenPage, page_of: str
) -> None:
    here = page_of.format(shop["check"])
    page = open_one(here)
    expect(page.locator(".file code").first).to_be_visible()
    expect(page.locator("#accept")).to_be_visible()
    press(page, "y")
    expect(page.locator("#reviewbar")).to_contain_text("Accepted")
    press(page, ".")
    page.wait_for_url(lambda url: not url.endswith(here))
    assert re.fullmatch(page_of.format(r"\d+"), re.sub("^https?://[^/]+", "", page.url))
    site.do(f"Task.objects.get(pk={shop['check']}).verdict.delete()")


def test_the_conversation_opens_by_a_key_and_stays_open(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/tasks/{shop['rounding']}")
    expect(page.locator("#diff")).to_be_visible()
    expect(page.locator("#conversation")).to_be_hidden()
    press(page, "o")
    expect(page.locator("#conversation")).to_be_visible()
    page.reload()
    expect(page.locator("#conversation")).to_be_visible()
    page.get_by_role("button", name="Review").click()
    expect(page.locator("#conversation")).to_be_hidden()


def test_half_written_comments_are_there_again_after_a_reload(
    shop: dict[str, int], open_one: OpenPage
) -> None:
    page = open_one(f"/tasks/{shop['rounding']}")
    expect(line_of(page, "rounded(")).to_be_visible()
    press(page, "c")
    press(page, "ArrowDown")
    press(page, "Enter")
    page.keyboard.type("Half a thou")
    press(page, "Escape")
    press(page, "C")
    page.keyboard.type("And of the file")
    page.reload()
    forms = page.locator(".commentform textarea")
    expect(forms).to_have_count(2)
    assert {box.input_value() for box in forms.all()} == {"Half a thou", "And of the file"}
    for _ in range(2):
        page.locator(".commentform").first.get_by_role("button", name="Cancel").click()
    page.reload()
    expect(line_of(page, "rounded(")).to_be_visible()
    expect(forms).to_have_count(0)


def test_changed_words_are_marked_and_hidden_lines_can_be_shown(
    shop: dict[str, int], open_one: OpenPage
) -> None:
    page = open_one(f"/tasks/{shop['rounding']}/changes")
    marked = "CSS.highlights.get('words-added')?.size"
    wait_for(lambda: page.evaluate(marked) == 2, 60, "the marks of “rounded(” and “)”")
    code = page.locator(".file", has_text="totals.py")
    expect(code).not_to_contain_text("Totals of an invoice")
    code.get_by_role("button", name="Show 2 hidden lines").click()
    expect(code).to_contain_text("Totals of an invoice")
    expect(code.locator("[data-more]")).to_have_count(0)
    expect(code.locator("button[data-line='1'][data-side=new]")).to_be_focused()


LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longTasks.push(Math.round(duration));
}).observe({ type: "longtask", buffered: true });
"""


@pytest.mark.alone
def test_five_thousand_files_are_listed_at_once(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one()
    page.add_init_script(LONG_TASKS)
    began = time.monotonic()
    page.goto(f"/tasks/{shop['many']}/changes")
    wait_for(lambda: page.evaluate("!!document.querySelector('.file code')"), 30, "the first lines")
    expect(page.locator("[data-totals]")).to_contain_text("5000 files")
    seconds = time.monotonic() - began
    key = min(seconds_of_a_key(page) for _ in range(3))
    nodes, longest = page.evaluate(
        "[document.querySelectorAll('*').length, Math.max(0, ...window.longTasks)]"
    )
    print(
        f"5,000 files: {seconds:.2f} s, a key {key * 1000:.0f} ms, {nodes} nodes, longest task {longest} ms"
    )
    assert seconds < 20
    assert key < 0.5
    assert nodes <= 5000
    assert longest < 500  # 100 on a quiet machine


def test_a_file_far_down_is_reached_from_the_tree_and_by_scrolling(
    shop: dict[str, int], open_one: OpenPage
) -> None:
    page = open_one(f"/tasks/{shop['many']}/changes")
    expect(page.locator(".file code").first).to_be_visible()
    wanted = page.locator(".file", has_text="00030.txt")
    expect(wanted).to_have_count(0)
    if page.locator("[data-tree]").is_hidden():
        page.locator("[data-toggle=tree]").click()
    for folder in ("formatted", "30"):
        page.locator("[data-tree] summary", has_text=folder).click()
    page.locator("[data-tree] button", has_text="00030.txt").click()
    expect(wanted).to_be_in_viewport()
    expect(wanted.locator("summary")).to_be_focused()
    expect(wanted.locator("code").first).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator(".file", has_text="04999.txt")).to_be_in_viewport()


def seconds_of_a_key(page: Page) -> float:
    """Until the page is drawn again. Not by `press()`: on so large a page its question takes longer."""
    began = time.monotonic()
    page.keyboard.press("n")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return time.monotonic() - began


def test_a_line_of_five_megabytes_is_cut(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one()
    began = time.monotonic()
    page.goto(f"/tasks/{shop['line']}/changes")
    expect(page.locator(".file .lines, .file .filebody .small").first).to_be_visible()
    print(f"a line of 5 MB: there after {time.monotonic() - began:.2f} s")
    assert page.evaluate("document.documentElement.outerHTML.length") < 200_000


def test_a_card_dropped_on_done_asks_and_merges(site: Site, shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/?workspace={shop['workspace']}")
    card = page.locator(f"#card-{shop['log']}")
    expect(card).to_contain_text("accepted")
    drag(page, card, column(page, "done"))
    dialog = page.locator("#to-done")
    expect(dialog).to_contain_text("into main?")
    expect(dialog).to_contain_text("31 tests passed")
    dialog.get_by_role("button", name="Cancel").click()
    expect(column(page, "review").locator(f"#card-{shop['log']}")).to_be_visible()

    drag(page, card, column(page, "done"))
    dialog.get_by_role("button", name="Merge").last.click()
    expect(page.locator(".toast")).to_contain_text("Merge train #")
    expect(column(page, "review").locator(f"#card-{shop['log']}")).to_contain_text("merge queued")
    train = site.do(f"result = Task.objects.get(pk={shop['log']}).merge_steps.last().train_id")
    assert work(site, f"window.ride({train})") == "finished"
    expect(column(page, "done").locator(f"#card-{shop['log']}")).to_be_visible()
    assert site.do(f"result = Task.objects.get(pk={shop['log']}).verdict.kind") == "merged"


def test_a_train_is_watched_from_its_start_to_its_undo(
    site: Site, shop: dict[str, int], train: int, open_one: OpenPage
) -> None:
    page = open_one(f"/merge-trains/{train}")
    expect(page.locator("#step-1")).to_contain_text("Merged")
    expect(page.locator("#step-2")).to_contain_text("<<<<<<< main")
    expect(page.locator("#step-3")).to_contain_text("Check failed")
    page.get_by_role("button", name="Undo").click()
    page.locator("#confirm").get_by_role("button", name="Undo").click()
    expect(page.locator("#train")).to_contain_text("Undoing")
    assert work(site, f"window.ride({train})") == "undone"
    expect(page.locator("#train")).to_contain_text("Undone")


def test_what_is_chosen_is_merged_in_the_order_shown(
    site: Site, shop: dict[str, int], train: int, open_one: OpenPage
) -> None:
    page = open_one(f"/workspaces/{shop['workspace']}/merge")
    for box in page.locator("[name=task]").all():
        box.uncheck()
    expect(page.get_by_role("button", name=re.compile("^Merge"))).to_be_disabled()
    page.locator(f"#merge-{shop['many']}").check()
    page.get_by_role("button", name="Merge 1 task").click()
    page.wait_for_url("**/merge-trains/*")
    expect(page.locator("#train")).to_contain_text("Queued")
    assert work(site, f"window.ride({page.url.rsplit('/', 1)[1]})") == "finished"
    expect(page.locator("#train")).to_contain_text("Finished")
    expect(page.locator("#step-1")).to_contain_text("Merged")


def test_worktrees_are_listed_and_removing_one_asks(shop: dict[str, int], open_one: OpenPage) -> None:
    page = open_one(f"/workspaces/{shop['workspace']}/worktrees")
    mine = page.locator(".tree-row", has_text="Round amounts")
    expect(mine).to_contain_text("clean")
    right = "element => element.getBoundingClientRect().right"
    path = mine.locator("code.cut-start")
    assert path.locator("bdi").evaluate(right) <= path.evaluate(right), "the end of the path is cut"
    expect(mine.get_by_role("button", name=re.compile("^Copy the path"))).to_be_visible()
    itself = page.locator(".tree-row", has_text="Main worktree")
    expect(itself.get_by_role("button", name="Remove…")).to_have_count(0)
    mine.get_by_role("button", name="Remove…").click()
    expect(page.locator("#confirm")).to_contain_text("rescue ref")
    page.locator("#confirm").get_by_role("button", name="Remove").click()
    expect(mine).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_anybody_from_review_trains_and_worktrees(
    shop: dict[str, int], train: int, open_one: OpenPage, scheme: str
) -> None:
    page = open_one(scheme=scheme)
    for path in pages_of(shop, train):
        page.goto(path)
        wait_for_content(page)
        assert_no_barriers(page)


def test_no_page_of_reviews_is_wider_than_a_phone(
    shop: dict[str, int], train: int, open_one: OpenPage
) -> None:
    page = open_one(width=390, height=844)
    for path in pages_of(shop, train):
        page.goto(path)
        wait_for_content(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_question_before_done_bars_nobody(shop: dict[str, int], open_one: OpenPage, scheme: str) -> None:
    page = open_one(f"/?workspace={shop['workspace']}", scheme=scheme)
    page.locator(f"#card-{shop['line']} .title").focus()
    press(page, "m")
    page.locator("#cardmenu [data-status=done]").click()
    expect(page.locator("#to-done")).to_be_visible()
    assert_no_barriers(page)
    press(page, "Escape")
    expect(column(page, "review").locator(f"#card-{shop['line']}")).to_be_visible()
