"""One search over everything that tasks contain, with the rights of its user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from aitask.lib.errors import Refused
from tasks import editing
from tasks.models import Event, Run, SearchBackfill, SearchEntry, Task
from tasks.runs.follower import store
from tasks.search import jobs, palette, queries, services, within
from tasks.tests.api_client import Script
from tasks.tests.factories import make_event, make_run, make_task, make_user, make_workspace
from tasks.tests.people import People, browser_of

pytestmark = pytest.mark.django_db


def save(run: Run, *events: dict[str, Any]) -> None:
    """Save events as the follower does."""
    run.refresh_from_db()
    offset = run.event_offset
    lines = [
        {"v": 1, "seq": run.last_seq + number, "at": "2026-11-30T10:00:00+00:00", **event}
        for number, event in enumerate(events, 1)
    ]
    assert store.save_events(run.pk, lines, start=offset, end=offset + 1)


def text(words: str) -> dict[str, Any]:
    return {"kind": "text", "text": words}


def command(line: str) -> dict[str, Any]:
    return {"kind": "tool", "id": "t", "name": "Bash", "title": line, "input": {"command": line}}


def change(path: str, diff: str) -> dict[str, Any]:
    return {"kind": "file_change", "id": "t", "path": path, "change": "update", "diff": diff}


def failure(output: str) -> dict[str, Any]:
    return {"kind": "tool_result", "id": "t", "output": output, "is_error": True}


def a_run(**fields: Any) -> Run:
    return make_run(task=make_task(**{"title": "Plain", "prompt": "", **fields}), state="running")


def hits(run: Run, query: str, **options: Any) -> list[queries.Hit]:
    found = queries.search(run.task.workspace.owner, query, **options)
    return [hit for group in found.groups for hit in group.hits]


def count(task: Task, query: str) -> int:
    return queries.search(task.workspace.owner, query).count


def kinds(found: Iterable[queries.Hit]) -> set[str]:
    return {str(hit.kind) for hit in found}


def test_each_kind_of_text_is_found() -> None:
    run = a_run(title="The walrus title", prompt="A walrus prompt")
    save(
        run,
        text("The walrus answers"),
        {"kind": "message", "id": "m", "text": "Feed the walrus", "by": "web"},
        command("make walrus"),
        change("src/walrus.py", "+swim()"),
        change("src/other.py", "+walrus.swim()"),
        failure("walrus: not found"),
    )
    services.index_terminal(run.task, "$ feed\nThe walrus is fed\n")
    assert kinds(hits(run, "walrus")) == set(SearchEntry.Kind.values)
    for kind in SearchEntry.Kind.values:
        assert kinds(hits(run, "walrus", kind=kind)) == {kind}


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("see src/ratelimit.py", "ratelimit.py"),
        ("see src/ratelimit.py", "ratel"),
        ("the HMAC of it", "hmac"),
        ("make_hmac_key()", "hmac"),
        ("make_hmac_key()", "hmac_key"),
        ("class RateLimitMiddleware", "middleware"),
        ("class RateLimitMiddleware", "ratelimitmid"),
        ("parseHTTPHeader", "http"),
        ("Größe in der Straße", "grösse strasse"),
        ("Größe in der Straße", "GROSSE"),
        ("全文検索の機能", "検索"),
        ("全文検索の機能", "文検索の"),
        ("全文検索の機能", "能"),
        ("한국어 검색을", "검색"),
        ("it is in C", "c"),
        ("error 0x1f in a.b", "0x1f"),
        ("a 'quoted' thing", "'quoted'"),
        ("one two three", '"two three"'),
    ],
)
def test_words_of_code_and_of_any_language_are_found(written: str, query: str) -> None:
    run = a_run()
    save(run, text(written))
    (hit,) = hits(run, query)
    assert hit.text == written
    assert any(marked for _, marked in hit.pieces)


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("one two three", '"two one"'),
        ("one two three", "one four"),
        ("ratelimit.go and main.py", "ratelimit.py"),
        ("it is in Cobol", "c"),
        ("全文検索", "検全"),
    ],
)
def test_what_does_not_fit_is_not_found(written: str, query: str) -> None:
    run = a_run()
    save(run, text(written))
    assert hits(run, query) == []


UNUSUAL = [
    *("a\0b", "NEAR(a b)", "a AND OR NOT", "words:x", "x*y", "a:*", "!a & (b | c)", "a <-> b", "^a", "-a"),
    *("\\", "'", '"', '"a', "_w1", "\ud800", "%_", "{a b}: c", "a" * 10_000, "a " * 5000, "١٢٣", "e\u0301"),
]


@pytest.mark.parametrize("query", UNUSUAL, ids=lambda query: ascii(query)[:20])
def test_no_query_is_a_language_that_can_fail(people: People, query: str) -> None:
    with contextlib.suppress(Refused):
        queries.search(people.owner, query)
    response = people.browser("owner").get("/search", {"q": query.encode("utf-8", "replace").decode()})
    assert response.status_code == 200


def test_a_query_that_is_too_long_is_answered_with_a_sentence(people: People) -> None:
    page = people.browser("owner").get("/search/results", {"q": "a" * 10_000}).content.decode()
    assert "A search has at most 12 words and 200 characters." in page


def test_a_file_is_found_by_its_name_in_the_worktree_and_not_by_the_worktrees_own() -> None:
    run = a_run(worktree_path="/srv/shop.worktrees/7-feed-the-walrus")
    path = f"{run.task.worktree_path}/src/manatee.py"
    save(run, {"kind": "tool", "id": "t", "name": "Read", "title": "", "input": {"file_path": path}})
    assert hits(run, "walrus") == []
    assert [hit.text for hit in hits(run, "manatee.py")] == ["src/manatee.py"]


def test_only_what_the_user_may_see_is_found(people: People) -> None:
    run = make_run(task=people.task, state="running")
    save(run, text("a secret walrus"))
    assert hits(run, "walrus")
    for name, count in (("owner", 1), ("member", 1), ("stranger", 0)):
        user = getattr(people, name)
        assert queries.search(user, "walrus").count == count
        assert queries.search(user, f"#{people.task.pk}").count == count
        assert queries.search(user, f"_w{people.workspace.pk} walrus").count == 0
        assert len(palette.tasks_for(user, "shelves", [])) == count
        assert len(palette.tasks_for(user, "", [people.task.pk])) == count
    assert queries.search(make_user("root", is_superuser=True), "walrus").count == 1


def test_who_loses_a_workspace_finds_nothing_of_it_any_more(people: People) -> None:
    save(make_run(task=people.task, state="running"), text("walrus"))
    people.workspace.members.remove(people.member)
    assert queries.search(people.member, "walrus").count == 0


def test_a_workspace_can_be_chosen() -> None:
    owner = make_user()
    one, two = (a_run(workspace=make_workspace(owner=owner)) for _ in range(2))
    save(one, text("walrus"))
    save(two, text("walrus"))
    found = queries.search(owner, "walrus", workspace=one.task.workspace_id)
    assert [group.task for group in found.groups] == [one.task]


def test_one_busy_task_does_not_hide_the_others() -> None:
    owner = make_user()
    quiet, busy = (a_run(workspace=make_workspace(owner=owner)) for _ in range(2))
    save(quiet, text("walrus"))
    save(busy, *(text(f"walrus {number}") for number in range(150)))
    assert {group.task for group in queries.search(owner, "walrus").groups} == {quiet.task, busy.task}


def test_titles_come_first_and_the_number_of_a_task_finds_it() -> None:
    owner = make_user()
    run = a_run(workspace=make_workspace(owner=owner))
    titled = make_task(workspace=run.task.workspace, title="Walrus")
    save(run, text("walrus"))
    assert [group.task for group in queries.search(owner, "walrus").groups] == [titled, run.task]
    assert queries.search(owner, f"#{run.task.pk}").groups[0].task == run.task


def test_a_changed_title_is_found_and_the_old_one_is_not() -> None:
    task = make_task(title="Old words", prompt="Old prompt")
    editing.update_task(task, title="New words", prompt="New prompt", user=task.workspace.owner)
    assert count(task, "old") == 0
    assert count(task, "new") == 2


def test_what_is_deleted_is_not_found_and_leaves_nothing_in_the_index() -> None:
    run = a_run()
    save(run, text("walrus"), command("walrus"))
    services.index_terminal(run.task, "walrus")
    run.task.delete()
    assert not SearchEntry.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tasks_searchwords WHERE tasks_searchwords MATCH 'walrus'")
            assert cursor.fetchone() == (0,)


def test_what_was_there_before_is_indexed_by_a_job_that_can_be_stopped_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 3)
    run = a_run(title="Walrus")
    for number in range(10):
        make_event(run, text=f"walrus {number}")
    SearchEntry.objects.all().delete()
    row = SearchBackfill.objects.create(before_task=2**62, before_event=2**62)
    assert not queries.search(run.task.workspace.owner, "walrus").is_complete
    rounds = 0
    while SearchBackfill.objects.exists():
        jobs.backfill(row.pk, seconds=0.001)
        rounds += 1
    assert rounds > 1
    assert SearchEntry.objects.count() == 11
    assert queries.search(run.task.workspace.owner, "walrus").is_complete


def test_an_event_that_is_indexed_again_is_found_once() -> None:
    run = a_run()
    save(run, text("walrus"))
    SearchBackfill.objects.create(before_task=2**62, before_event=2**62)
    while row := SearchBackfill.objects.first():
        jobs.backfill(row.pk)
    assert len(hits(run, "walrus")) == 1


def test_what_is_indexed_of_an_event_is_bounded() -> None:
    run = a_run()
    save(run, text("walrus " * 100_000 + "needle"), change("a" * 5000, "+x\n" * 100_000))
    assert len(hits(run, "walrus")) == 1
    assert hits(run, "needle") == []


@pytest.mark.parametrize("data", [{}, {"input": []}, {"input": {"command": [1, None]}}, {"title": 7}])
@pytest.mark.parametrize("kind", ["tool", "tool_result", "file_change", "request", "text", "finished"])
def test_events_of_any_shape_are_indexed_without_an_error(kind: str, data: dict[str, Any]) -> None:
    event = Event(pk=1, run=a_run(), seq=1, kind=kind, data=data)
    list(services.entries_of(event.run.task, event))


def test_hostile_text_is_escaped_and_what_is_not_seen_is_shown_as_an_escape(people: People) -> None:
    run = make_run(task=people.task, state="running")
    save(run, text("<script>walrus</script> \u202e\x1b[31mred"))
    page = people.browser("owner").get("/search", {"q": "walrus"}).content.decode()
    assert "&lt;script&gt;<mark>walrus</mark>&lt;/script&gt;" in page
    assert "\u202e" not in page


def test_the_api_answers_with_places(people: People) -> None:
    run = make_run(task=people.task, state="running")
    save(run, text("unrelated"), command("make walrus"))
    api = Script(people.owner)
    assert api.get("/search?q=walrus") == [
        {
            "task": people.task.pk,
            "run": run.pk,
            "seq": 2,
            "kind": "command",
            "text": "make walrus",
            "url": f"/tasks/{people.task.pk}?at=1.2",
        }
    ]
    assert api.get("/search?q=walrus&kind=answer") == []


def test_a_conversation_is_searched_whole_and_counts_its_kinds(people: People) -> None:
    run = make_run(task=people.task, state="running")
    save(run, text("walrus"), command("ls"), failure("walrus"), text("other"))
    browser = people.browser("member")
    find = f"/tasks/{people.task.pk}/find"
    assert browser.get(find, {"q": "walrus"}).json() == {"places": [[1, 1], [1, 3]]}
    assert browser.get(find, {"q": "walrus", "only": "errors"}).json() == {"places": [[1, 3]]}
    assert browser.get(find, {"only": "commands errors"}).json() == {"places": [[1, 2], [1, 3]]}
    assert "error" in browser.get(find, {"q": "a" * 1000}).json()
    assert within.counts_in(run.task) == {"answer": 2, "command": 1, "error": 1}
    assert people.browser("stranger").get(find, {"q": "walrus"}).status_code == 404


def test_the_outline_has_the_messages_to_the_agent(people: People) -> None:
    run = make_run(task=people.task, state="running")
    save(run, {"kind": "message", "id": "m", "text": "First <b>\nmore", "by": "prompt"}, text("x"))
    page = people.browser("member").get(f"/tasks/{people.task.pk}/outline").content.decode()
    assert 'data-turn="1.1"' in page
    assert "First &lt;b&gt;" in page
    assert people.browser("stranger").get(f"/tasks/{people.task.pk}/outline").status_code == 404


def test_events_around_a_place_are_loaded_with_what_is_before_and_after(people: People) -> None:
    run = make_run(task=people.task, state="running")
    Event.objects.bulk_create(
        Event(run=run, seq=seq, at=run.queued_at, kind="text", data={"text": f"event {seq}"})
        for seq in range(1, 501)
    )
    response = people.browser("owner").get(f"/tasks/{people.task.pk}/events", {"around": "1.250"})
    assert (response["X-First"], response["X-Last"]) == ("1.150", "1.349")
    assert (response["X-Earlier"], response["X-More"]) == ("yes", "yes")
    assert 'data-place="1.250"' in response.content.decode()
    response = people.browser("owner").get(f"/tasks/{people.task.pk}/events", {"around": "1.3"})
    assert (response["X-First"], response["X-Earlier"]) == ("1.1", "")


def test_the_palette_finds_tasks_by_number_and_by_words_of_their_titles(people: People) -> None:
    other = make_task(workspace=people.workspace, title="Paint the shelves", prompt="Zebra")

    def numbers(**values: str) -> list[int]:
        answer = people.browser("owner").get("/palette/tasks", values).json()
        return [task["number"] for task in answer["tasks"]]

    assert numbers(q=f"#{other.pk}") == [other.pk]
    assert set(numbers(q="shel")) == {other.pk, people.task.pk}
    assert numbers(q="paint shelves") == [other.pk]
    assert numbers(q="zebra") == numbers(q="' \0 (") == numbers(q="x" * 10_000) == []
    assert numbers(recent=f"{people.task.pk},999999,x") == [people.task.pk, other.pk]


def test_the_palette_finds_tasks_by_letters_of_their_titles(people: People) -> None:
    user = people.owner
    wanted = make_task(workspace=people.workspace, title="Upgrade the payment client")
    make_task(workspace=people.workspace, title="Undo a plain paragraph, please, clean it")
    make_task(title="Upgrade the payment client of somebody else")

    def titles(query: str) -> list[str]:
        return [task["title"] for task in palette.tasks_for(user, query, [])]

    assert titles("upgrd paymnt") == [wanted.title]
    assert titles("utpc") == [wanted.title]
    assert titles("ÜPGRÄDE clent") == [wanted.title]
    assert titles("tneilc") == []


def test_the_palette_offers_plans_and_the_graphs_of_the_users_workspaces(people: People) -> None:
    graph = f"/workspaces/{people.workspace.pk}/graph"
    for name, expected in (("member", ["/plan", graph]), ("stranger", ["/plan"])):
        answer = people.browser(name).get("/palette/tasks").json()
        assert [page["url"] for page in answer["pages"]] == expected


@pytest.mark.parametrize("path", ["/search", "/search/results", "/palette/tasks", "/api/search?q=x"])
def test_searching_needs_a_login(path: str) -> None:
    assert Client().get(path).status_code in (302, 401)
    assert browser_of(make_user()).get(path).status_code == 200


def test_a_terminal_is_found_in_parts_and_its_new_text_replaces_the_old() -> None:
    task: Task = a_run().task
    services.index_terminal(task, "".join(f"line {number} walrus\n" for number in range(2000)))
    assert SearchEntry.objects.filter(task=task, kind="terminal").count() > 5
    services.index_terminal(task, "needle")
    assert count(task, "walrus") == 0
    (hit,) = queries.search(task.workspace.owner, "needle").groups[0].hits
    assert hit.url == f"/tasks/{task.pk}/terminal?saved"
