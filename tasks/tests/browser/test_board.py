"""The board as a person uses it: by mouse, by keys, with others at the same time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from aitask.tests.lab.browser import press
from aitask.tests.lab.wait import wait_for
from tasks.tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
OpenPage = Callable[..., Page]


def make_card(site: Site, title: str, status: str = "backlog") -> Callable[[Page], Locator]:
    """A new card; the function finds it on a page."""
    pk = site.do(
        f"task = factories.make_task(workspace=Workspace.objects.get(name='storefront'), title={title!r},"
        f" status={status!r}); doorbell.ring('board'); result = task.pk"
    )
    return lambda page: page.locator(f"#card-{pk}")


def column(page: Page, status: str) -> Locator:
    return page.locator(f"#cards-{status}")


def lift(page: Page, card: Locator, over: Locator) -> None:
    """Take a card and hold it over the upper part of something."""
    card.hover()
    page.mouse.down()
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 40, steps=5)
    expect(page.locator("body.dragging")).to_be_attached()
    page.mouse.move(box["x"] + 60, box["y"] + 8, steps=8)


def is_held_over(page: Page, over: Locator) -> bool:
    """A person's drag tells the page again and again where it is; this one only with each move."""
    if page.locator(".drop-here").filter(has=over).count():
        return True
    box = over.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.move(box["x"] + 60, box["y"] + 8)
    return False


def drag(page: Page, card: Locator, over: Locator) -> None:
    lift(page, card, over)
    wait_for(lambda: is_held_over(page, over), 20, "the column's being marked")
    page.mouse.up()
    expect(page.locator("body.dragging")).not_to_be_attached()


def test_a_card_dragged_to_queued_runs_and_every_browser_sees_it(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Drag me")
    mine, other = open_one(), open_one()
    drag(mine, card(mine), column(mine, "queued"))
    for page in (mine, other):
        expect(column(page, "running").locator(".card", has_text="Drag me")).to_contain_text("starting")
    assert site.do("result = Task.objects.get(title='Drag me').runs.count()") == 1


def test_a_refused_drop_puts_the_card_back_and_says_why(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Not there")
    page = open_one()
    drag(page, card(page), column(page, "running"))
    expect(page.locator(".toast.failed")).to_contain_text("moves to Running by itself")
    expect(column(page, "backlog").locator(".card", has_text="Not there")).to_be_visible()


def test_a_move_can_be_taken_back(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Back again")
    page = open_one()
    drag(page, card(page), column(page, "review"))
    expect(column(page, "review").locator(".card", has_text="Back again")).to_be_visible()
    page.locator(".toast", has_text="Moved to Review").get_by_role("button", name="Undo").click()
    expect(column(page, "backlog").locator(".card", has_text="Back again")).to_be_visible()


def test_a_card_is_moved_within_its_column(site: Site, open_one: OpenPage) -> None:
    make_card(site, "Order A")
    second = make_card(site, "Order B")
    page = open_one()
    first = page.locator(".card", has_text="Order A")
    drag(page, second(page), first)
    expect(column(page, "backlog").locator(".card", has_text="Order").first).to_contain_text("Order B")
    page.reload()
    expect(column(page, "backlog").locator(".card", has_text="Order").first).to_contain_text("Order B")


def test_a_change_by_somebody_else_waits_until_the_drag_is_over(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Held in the hand")
    page = open_one()
    lift(page, card(page), column(page, "review"))
    other = open_one()
    late = make_card(site, "Came meanwhile")
    expect(late(other)).to_be_visible()
    expect(late(page)).to_have_count(0)
    page.mouse.up()
    expect(late(page)).to_be_visible()
    expect(column(page, "review").locator(".card", has_text="Held in the hand")).to_be_visible()


def test_cards_are_walked_and_opened_by_keys(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "j")
    expect(column(page, "backlog").locator(".title").first).to_be_focused()
    press(page, "ArrowDown")
    expect(column(page, "backlog").locator(".title").nth(1)).to_be_focused()
    press(page, "k")
    press(page, "l")
    focused = page.locator(".title:focus")
    expect(focused).to_be_visible()
    assert focused.evaluate("e => e.closest('.card').dataset.status") != "backlog"
    press(page, "Enter")
    page.wait_for_url("**/tasks/*")


def test_a_card_is_moved_run_and_cancelled_by_keys_alone(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "By keys")
    page = open_one()
    card(page).locator(".title").focus()
    press(page, "m")
    page.locator("#cardmenu [data-status=review]").press("Enter")
    expect(column(page, "review").locator(".card", has_text="By keys")).to_be_visible()
    expect(column(page, "backlog").locator(".title:focus")).to_have_count(1)
    card(page).locator(".title").focus()
    press(page, "r")
    dialog = page.locator("#run-task")
    expect(dialog.locator("textarea")).to_be_focused()
    assert site.do("result = Run.objects.filter(task__title='By keys').count()") == 0
    page.keyboard.press("Control+Enter")
    expect(dialog).to_be_hidden()
    expect(column(page, "running").locator(".card", has_text="By keys")).to_be_visible()
    expect(column(page, "review").locator(".title:focus")).to_have_count(1)
    card(page).locator(".title").focus()
    press(page, "x")
    expect(page.locator("#confirm")).to_contain_text("stays in the worktree")
    press(page, "y")
    expect(card(page)).to_contain_text("cancelling")


def test_keys_run_one_task_after_the_other(site: Site, open_one: OpenPage) -> None:
    cards = [make_card(site, f"One of two {n}") for n in range(2)]
    page = open_one()
    cards[0](page).locator(".title").focus()
    press(page, "r")
    expect(cards[1](page).locator(".title")).to_be_focused()
    press(page, "r")
    expect(column(page, "running").locator(".card", has_text="One of two")).to_have_count(2)


def test_a_card_that_was_worked_on_is_not_run_by_a_drop(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Reviewed already", "review")
    page = open_one()
    drag(page, card(page), column(page, "queued"))
    expect(page.locator("#run-task textarea")).to_be_focused()
    press(page, "Escape")
    expect(column(page, "review").locator(".card", has_text="Reviewed already")).to_be_visible()
    assert site.do("result = Run.objects.filter(task__title='Reviewed already').count()") == 0


def test_the_way_back_from_a_task_leads_to_its_card(site: Site, open_one: OpenPage) -> None:
    cards = [make_card(site, f"Looked at {n}") for n in range(2)]
    page = open_one("/?q=Looked+at")
    cards[0](page).locator(".title").focus()
    press(page, "Enter")
    page.wait_for_url("**/tasks/*")
    press(page, "Escape")
    page.wait_for_url("**/?q=Looked+at")
    expect(cards[0](page).locator(".title")).to_be_focused()
    press(page, "Enter")
    page.wait_for_url("**/tasks/*")
    site.do("Task.objects.filter(title='Looked at 0').update(status='done')")
    press(page, "Escape")
    expect(cards[1](page).locator(".title")).to_be_focused()


def test_a_question_answered_with_escape_does_nothing(site: Site, open_one: OpenPage) -> None:
    card = make_card(site, "Keep me")
    page = open_one()
    card(page).hover()
    card(page).get_by_role("button", name="Actions for Keep me").click()
    page.locator("#cardmenu [data-verb=delete]").click()
    expect(page.locator("#confirm")).to_contain_text("branch, worktree and commits stay")
    press(page, "Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    page.reload()
    expect(card(page)).to_be_visible()


def test_what_needs_a_person_is_counted_in_every_title(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    expect(page).to_have_title("(1) Board · AI Task Manager")
    run = "Run.objects.filter(task__title__startswith='Make the search')"
    change = run + ".update(state={!r}, open_requests={!r}); doorbell.ring('board')"
    asked = {"id": "r1", "kind": "approval", "tool": "Bash", "title": "npm test"}
    site.do(change.format("waiting", [asked]))
    expect(page).to_have_title("(2) Board · AI Task Manager")
    expect(page.locator("#needs")).to_contain_text("2 need you")
    page.locator("#needs").click()
    expect(page.locator(".card.needs-you .title").first).to_be_focused()
    site.do(change.format("running", []))
    expect(page).to_have_title("(1) Board · AI Task Manager")


def test_search_and_workspace_narrow_the_board_and_survive_a_reload(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    press(page, "/")
    page.keyboard.type("invoices")
    expect(page.locator(".card")).to_have_count(1)
    expect(page).to_have_url(f"{site.url}/?q=invoices")
    page.reload()
    expect(page.locator(".card")).to_have_count(1)
    page.locator("#f-search").press("Escape")
    expect(page.locator(".card").nth(3)).to_be_visible()
    page.locator("#f-workspace").select_option(label="dotfiles")
    expect(page.locator(".card", has_text="storefront")).to_have_count(0)
    expect(page.locator(".card", has_text="dotfiles").first).to_be_visible()


def test_the_elapsed_time_runs_by_itself(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    clock = page.locator("#cards-running time[data-since]").first
    before = clock.text_content()
    expect(clock).not_to_have_text(before or "")


def test_times_are_those_of_the_readers_zone(site: Site, open_one: OpenPage) -> None:
    pk = site.do(
        "task = factories.make_task(workspace=Workspace.objects.get(name='storefront'), status='queued')\n"
        "factories.make_run(task=task, reason='Starts at 2030-03-17 17:46 UTC, when the limit is reset.')\n"
        "doorbell.ring('board'); result = task.pk"
    )
    page = open_one(zone="Asia/Kathmandu")
    words = page.locator(f"#card-{pk} .because")
    expect(words).to_have_text("Starts at 17 Mar, 23:31, when the limit is reset.")
    site.do(f"Task.objects.filter(pk={pk}).update(title='Another name'); doorbell.ring('board')")
    expect(page.locator(f"#card-{pk} .title")).to_have_text("Another name")
    expect(words).to_contain_text("23:31")
    age = page.locator("#cards-review time[data-ago]").first
    age.dispatch_event("pointerover")
    expect(age).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\+5:45$"))


def test_the_page_finds_the_server_again_after_a_restart(site: Site, open_one: OpenPage) -> None:
    page = open_one()
    pid = site.app.kill("web")
    site.app._started.pop("web").wait(10)
    expect(page.locator("#linkbar")).to_be_visible()
    site.app.start_role("web")
    site.app.wait_until_it_answers()
    assert pid != site.app.pid("web")
    expect(page.locator("#linkbar")).to_be_hidden(timeout=20_000)
    late = make_card(site, "After the restart")
    expect(late(page)).to_be_visible()


class TestManyTasks:
    """A column shows its first cards, and more when its end comes into view."""

    @pytest.fixture
    def many(self, site: Site) -> Iterator[None]:
        site.do(
            "for n in range(70): factories.make_task(workspace=Workspace.objects.get(name='storefront'),"
            " title=f'Many {n:02}', status='backlog')\ndoorbell.ring('board')"
        )
        yield
        site.do("Task.objects.filter(title__startswith='Many').delete(); doorbell.ring('board')")

    def scroll_to_end(self, page: Page) -> None:
        column(page, "backlog").evaluate("list => list.scrollTo(0, list.scrollHeight)")

    def shown(self, page: Page) -> list[str]:
        return column(page, "backlog").locator(".card .title").all_text_contents()

    def test_scrolling_loads_the_next_cards_once_and_in_order(
        self, site: Site, many: None, open_one: OpenPage
    ) -> None:
        page = open_one()
        expect(column(page, "backlog").locator(".card")).to_have_count(20)
        total = site.do("result = Task.objects.filter(status='backlog').count()")
        expect(page.locator("#count-backlog")).to_have_text(str(total))

        def has_all() -> bool:
            self.scroll_to_end(page)
            return bool(len(self.shown(page)) >= total)

        wait_for(has_all, 30, "the last card")
        assert self.shown(page) == site.do(
            "result = list(Task.objects.filter(status='backlog').order_by('rank', 'pk')"
            ".values_list('title', flat=True))"
        )
        expect(column(page, "backlog").locator(".more")).to_have_count(0)

    def test_what_is_below_the_shown_cards_changes_only_the_count(
        self, site: Site, many: None, open_one: OpenPage
    ) -> None:
        page = open_one()
        count = int(page.locator("#count-backlog").inner_text())
        make_card(site, "Many at the end")
        expect(page.locator("#count-backlog")).to_have_text(str(count + 1))
        expect(column(page, "backlog").locator(".card")).to_have_count(20)
        assert "Many at the end" not in self.shown(page)

    def test_an_update_keeps_what_was_scrolled_in(self, site: Site, many: None, open_one: OpenPage) -> None:
        page = open_one()
        expect(column(page, "backlog").locator(".card")).to_have_count(20)
        self.scroll_to_end(page)
        expect(column(page, "backlog").locator(".card")).to_have_count(40)
        with page.expect_response(lambda response: "/board/columns" in response.url):
            page.evaluate("document.dispatchEvent(new CustomEvent('changed'))")
        expect(column(page, "backlog").locator(".card")).to_have_count(40)


def test_a_card_that_changes_elsewhere_keeps_the_focus_and_moves_to_its_place(
    site: Site, open_one: OpenPage
) -> None:
    first, second = make_card(site, "Moves first"), make_card(site, "Moves second")
    page = open_one()
    first(page).locator(".title").focus()
    pk = site.pk_of("Moves first")
    wait_until_it_is_told(site, page, pk)
    with refuse_reloads(page):
        site.do(
            f"Task.objects.filter(pk={pk}).update(title='Moved last', rank=1e9); doorbell.ring('task:{pk}')"
        )
        expect(first(page).locator(".title")).to_have_text("Moved last")
        expect(first(page).locator(".title")).to_be_focused()
        assert page.evaluate(
            "([a, b]) => !!(a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING)",
            [second(page).element_handle(), first(page).element_handle()],
        )
        site.do(f"Task.objects.filter(pk={pk}).update(status='review'); doorbell.ring('task:{pk}')")
        expect(column(page, "review").locator(f"#card-{pk}")).to_be_visible()
        site.do(f"services.delete_task(Task.objects.get(pk={pk}))")
        expect(first(page)).to_have_count(0)


def wait_until_it_is_told(site: Site, page: Page, pk: int) -> None:
    """A page loads its columns again if something has changed before its socket was open."""
    site.do(f"Task.objects.filter(pk={pk}).update(title='Is told'); doorbell.ring('task:{pk}')")
    expect(page.locator(f"#card-{pk} .title")).to_have_text("Is told")


@contextmanager
def refuse_reloads(page: Page) -> Iterator[None]:
    """Fail the test if the page loads its columns again."""
    asked: list[str] = []
    note = lambda request: asked.append(request.url) if "/board/columns" in request.url else None  # noqa: E731
    page.on("request", note)
    yield
    page.remove_listener("request", note)
    assert asked == []


def test_done_folds_by_day_and_opens_at_a_click(site: Site, open_one: OpenPage) -> None:
    workspace, pk = site.do("""
from datetime import timedelta
from django.utils import timezone
workspace = factories.make_workspace(owner=User.objects.get(username='ada'), name='diary')
today = timezone.now().replace(hour=0, minute=0, second=1)
for days, title in ((0, 'Now'), (1, 'Before'), (5, 'Long ago'), (5, 'As long ago'), (40, 'Forgotten')):
    task = factories.make_task(workspace=workspace, title=title, status='done')
    Task.objects.filter(pk=task.pk).update(updated_at=today - timedelta(days=days))
result = [workspace.pk, Task.objects.get(title='Forgotten').pk]
""")
    page = open_one(f"/?workspace={workspace}", zone="UTC")
    done = page.locator("#cards-done")
    expect(done.locator(".day .label")).to_have_count(4)
    assert done.locator(".day .label").all_inner_texts()[:2] == ["Today", "Yesterday"]
    assert done.locator(".card:visible .title").all_inner_texts() == ["Now", "Before"]
    done.locator(".day button").nth(2).click()
    expect(done.locator(".card:visible")).to_have_count(4)
    page.reload()
    expect(done.locator(".card:visible")).to_have_count(4)

    site.do(f"Task.objects.get(pk={pk}).save(update_fields=['updated_at']); doorbell.ring('task:{pk}')")
    expect(done.locator(".card:visible .title").first).to_have_text("Forgotten")
    expect(done.locator(".day .label")).to_have_count(3)

    page.locator("#f-search").fill("ago")
    expect(done.locator(".day")).to_have_count(0)
    expect(done.locator(".card:visible")).to_have_count(2)


def test_columns_are_grouped_by_workspace_and_stay_so(site: Site, open_one: OpenPage) -> None:
    page = open_one("/")
    page.get_by_role("button", name="Groups and saved filters").click()
    page.get_by_label("Group by workspace").check()
    headings = column(page, "backlog").locator(".group h3")
    expect(headings.first).to_be_visible()
    page.reload()
    names = headings.all_inner_texts()
    assert names == sorted(names, key=page.locator("#f-workspace option").all_inner_texts().index)
    card = make_card(site, "Comes into its group")(page)
    expect(card).to_be_visible()
    assert (
        card.evaluate(
            "card => { while (!card.matches('.group')) card = card.previousElementSibling;"
            " return card.textContent; }"
        )
        == "storefront"
    )
    page.get_by_role("button", name="Groups and saved filters").click()
    page.get_by_label("Group by workspace").uncheck()
    expect(headings).to_have_count(0)


def test_a_card_that_its_priority_keeps_in_its_place_says_so(site: Site, open_one: OpenPage) -> None:
    high, low = make_card(site, "First by priority"), make_card(site, "Wants to be first")
    page = open_one("/?q=first")
    site.do("Task.objects.filter(title='First by priority').update(priority=1); doorbell.ring('board')")
    expect(high(page).and_(page.locator("[data-order^='-1 ']"))).to_be_visible()
    low(page).get_by_role("button", name="Actions for Wants to be first").click(force=True)
    page.get_by_role("button", name="Move up").click()
    expect(page.locator(".toast", has_text="Cards with a higher priority come first")).to_be_visible()
