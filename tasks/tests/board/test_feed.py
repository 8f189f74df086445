"""What changes on boards is read once, for all boards that are open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.board import feed, queries, rendered
from tasks.board.cards import cards_of
from tasks.board.feed import BoardUpdate, KnownCards, read_update
from tasks.models import Run, Task
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from tasks.tests.people import People
from workspaces.models import Host

pytestmark = pytest.mark.django_db


def known(people: People) -> KnownCards:
    """What a page knows that has just been opened."""
    found = read_update(KnownCards(), set(), [people.owner], compare=True)
    assert found
    return found[1]


def changes(before: KnownCards, *tasks: int, people: People, compare: bool = False) -> BoardUpdate | None:
    found = read_update(before, set(tasks), [people.owner], compare=compare)
    return found[0] if found else None


def test_only_what_has_changed_is_announced(people: People) -> None:
    other = make_task(workspace=people.workspace)
    before = known(people)
    Task.objects.filter(pk=other.pk).update(title="Another title")
    update = changes(before, other.pk, people.task.pk, people=people)
    assert update
    assert [card.task.title for card in update.cards.values()] == ["Another title"]


def test_a_ring_without_a_change_announces_nothing(people: People) -> None:
    assert changes(known(people), people.task.pk, people=people) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"activity": "Reading"},
        {"reason": "Why not"},
        {"output_tokens": 5},
        {"cost_usd": "0.12"},
        {"open_requests": [{"id": "1", "title": "Run it?"}]},
        {"progress": [{"text": "A", "state": "active"}]},
        {"state": "failed", "reason_code": "limit"},
    ],
)
def test_everything_that_a_card_shows_of_its_run_is_announced(
    people: People, fields: dict[str, object]
) -> None:
    run = make_run(task=people.task, state="running")
    before = known(people)
    Run.objects.filter(pk=run.pk).update(**fields)
    assert changes(before, people.task.pk, people=people)


def test_what_no_card_shows_is_not_announced(people: People) -> None:
    run = make_run(task=people.task, state="running")
    before = known(people)
    Run.objects.filter(pk=run.pk).update(event_offset=9999, last_seq=50, tmux_window="@3")
    Task.objects.filter(pk=people.task.pk).update(prompt="Another prompt")
    assert changes(before, people.task.pk, people=people) is None


def test_a_deleted_task_is_gone(people: People) -> None:
    before, pk = known(people), people.task.pk
    people.task.delete()
    update = changes(before, pk, people=people)
    assert update
    assert (update.cards, update.gone) == ({}, {pk: people.workspace.pk})


def test_a_deleted_task_that_was_only_scrolled_to_is_gone_and_counted(people: People) -> None:
    far = make_task(workspace=people.workspace)
    before = known(people)
    shown = replace(before, cards={pk: card for pk, card in before.cards.items() if pk != far.pk})
    (card,) = cards_of([far])
    rendered.kept.html(card, "card")
    pk = far.pk
    far.delete()
    update = changes(shown, pk, people=people)
    assert update
    assert update.gone == {pk: people.workspace.pk}
    assert update.counts == {people.workspace.pk: {"backlog": 1}}


def test_a_deleted_task_that_nobody_was_shown_changes_the_count(people: People) -> None:
    far = make_task(workspace=people.workspace)
    before = known(people)
    shown = replace(before, cards={pk: card for pk, card in before.cards.items() if pk != far.pk})
    pk = far.pk
    rendered.kept.forget({pk})
    far.delete()
    update = changes(shown, pk, people=people)
    assert update
    assert (update.gone, update.counts) == ({}, {people.workspace.pk: {"backlog": 1}})


def test_a_comparison_finds_changes_whose_ring_was_lost(people: People) -> None:
    other, gone = make_task(workspace=people.workspace), make_task(workspace=people.workspace)
    before, gone_pk = known(people), gone.pk
    Task.objects.filter(pk=other.pk).update(lines_added=3)
    gone.delete()
    new = make_task(workspace=people.workspace)
    update = changes(before, people=people, compare=True)
    assert update
    assert (set(update.cards), set(update.gone)) == ({other.pk, new.pk}, {gone_pk})


def test_a_lost_link_changes_its_cards_and_the_notices(people: People) -> None:
    make_run(task=people.task, state="running")
    Host.objects.create(key="local", kind="local")
    before = known(people)
    Host.objects.update(link=Host.Link.DOWN)
    update = changes(before, people=people, compare=True)
    assert update
    assert set(update.cards) == {people.task.pk}
    assert update.notices == queries.notices()


def test_the_columns_are_counted_by_workspace(people: People) -> None:
    other = make_task(workspace=make_workspace(), status="review")
    before = known(people)
    Task.objects.filter(pk=people.task.pk).update(status="review")
    update = changes(before, people.task.pk, people=people)
    assert update
    assert update.counts == {people.workspace.pk: {"review": 1}, other.workspace_id: {"review": 1}}


def test_each_user_has_the_workspaces_that_the_user_may_see(people: People) -> None:
    make_run(task=people.task, state="waiting")
    root = make_user("root", is_superuser=True)
    users = [people.owner, people.member, people.stranger, root]
    found = read_update(KnownCards(), {people.task.pk}, users, compare=False)
    assert found
    sees = {people.workspace.pk: 1}
    assert found[0].visible == {
        people.owner.pk: sees,
        people.member.pk: sees,
        people.stranger.pk: {},
        root.pk: sees,
    }


def test_a_right_that_ends_is_announced_though_no_card_has_changed(people: People) -> None:
    make_task(workspace=people.workspace)
    first = read_update(KnownCards(), set(), [people.member], compare=True)
    assert first
    people.workspace.members.remove(people.member)
    found = read_update(first[1], set(), [people.member], compare=True)
    assert found
    assert found[0].visible == {people.member.pk: {}}


def test_a_later_update_replaces_what_an_earlier_one_said() -> None:
    tasks, notices = [make_task() for _ in range(3)], queries.notices()
    one, two, three = cards_of(Task.objects.filter(pk__in=[task.pk for task in tasks]))
    update = BoardUpdate({one.task.pk: one, two.task.pk: two}, {three.task.pk: 1})
    update.merge(
        BoardUpdate({three.task.pk: three}, {one.task.pk: 1}, {1: {"done": 1}}, {1: {}}, {1: 2}, notices)
    )
    assert set(update.cards) == {two.task.pk, three.task.pk}
    assert update.gone == {one.task.pk: 1}
    assert (update.counts, update.visible, update.accepted) == ({1: {"done": 1}}, {1: {}}, {1: 2})
    assert update.notices == notices


def test_what_is_read_does_not_grow_with_the_tasks(people: People) -> None:
    def statements() -> int:
        before = known(people)
        Task.objects.filter(pk=people.task.pk).update(title=f"Title {Task.objects.count()}")
        with CaptureQueriesContext(connection) as made:
            assert changes(before, people.task.pk, people=people)
        return len(made)

    few = statements()
    for _ in range(40):
        make_run(task=make_task(workspace=people.workspace, status="review"), state="succeeded")
    assert statements() == few


def test_what_is_known_is_bounded(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_KNOWN", 5)
    for _ in range(20):
        make_task(workspace=people.workspace)
    assert len(known(people).cards) == 5
