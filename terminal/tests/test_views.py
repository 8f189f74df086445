"""Who may open the terminal's pages, and what they contain."""

from __future__ import annotations

import pytest

from tasks.tests.factories import make_task, make_workspace
from tasks.tests.people import People, send

pytestmark = pytest.mark.django_db
WHO = [("owner", 200), ("member", 403), ("stranger", 404), ("nobody", 302)]


@pytest.fixture
def people() -> People:
    """The owner and the stranger may use terminals, the member may not."""
    made = People()
    made.allow("owner", "use_terminal")
    made.allow("stranger", "use_terminal")
    return made


@pytest.mark.parametrize("page", ["/terminal", "/terminal/pane"])
@pytest.mark.parametrize(("who", "status"), WHO)
def test_a_terminal_needs_a_login_the_permission_and_the_task(
    people: People, page: str, who: str, status: int
) -> None:
    assert people.browser(who).get(f"/tasks/{people.task.pk}{page}").status_code == status


def test_the_task_page_has_a_terminal_only_for_those_who_may_use_it(people: People) -> None:
    path = f"/tasks/{people.task.pk}"
    assert b'id="lower"' in people.browser("owner").get(path).content
    assert b'id="lower"' not in people.browser("member").get(path).content


def test_the_task_page_loads_no_part_of_the_terminal(people: People) -> None:
    page = people.browser("owner").get(f"/tasks/{people.task.pk}").content
    assert b"xterm" not in page
    assert b"/static/terminal/" not in page


def test_styles_of_the_terminal_need_the_nonce_of_the_page(people: People) -> None:
    answer = people.browser("owner").get(f"/tasks/{people.task.pk}")
    policy = answer.headers["Content-Security-Policy"]
    assert "style-src 'self' 'nonce-" in policy
    assert "unsafe-inline" not in policy
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f'data-nonce="{nonce}"' in answer.content.decode()


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("stranger", 404), ("nobody", 302)])
def test_nobody_closes_the_sessions_of_others(people: People, who: str, status: int) -> None:
    browser = people.browser(who)
    assert send(browser, "/terminals/close-finished", tasks=str(people.task.pk)).status_code == status


def test_one_foreign_task_among_ones_own_closes_nothing(people: People) -> None:
    own = make_task(workspace=make_workspace(owner=people.stranger))
    answer = send(people.browser("stranger"), "/terminals/close-finished", tasks=f"{own.pk} {people.task.pk}")
    assert answer.status_code == 404


def test_closing_needs_a_post(people: People) -> None:
    assert people.browser("owner").get("/terminals/close-finished").status_code == 405
