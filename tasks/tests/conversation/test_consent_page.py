"""A page shows what the agent has sent, byte for byte, and *Allow* allows just that."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.conversation.rendering import render_asks, render_request, render_whole
from tasks.conversation.requests import SHOWN, Ask, groups
from tasks.models import Outgoing, Run, Task
from tasks.rendering.inputs import PREVIEW, compared
from tasks.tests.conversation.hosts import ASKED, FakeHost
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People, send
from workspaces.hostkit.base.consent import digest_of
from workspaces.hostkit.escapes import unescape
from workspaces.models import Workspace

CALM = settings(deadline=None, max_examples=60)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NASTY = st.text("\\x1b\x07\r\n\t ;<>&\"'\u202e\u200b\u00a0é{}|")
TEXTS = ANY | NASTY
SCALARS = st.none() | st.booleans() | st.integers() | TEXTS
VALUES = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(TEXTS, x, max_size=3), max_leaves=5
)
FIELDS = st.dictionaries(TEXTS, VALUES, max_size=3)


class Shown(HTMLParser):
    """The text of each field on a page, as a reader sees it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.inputs: list[tuple[str, str]] = []
        self.is_inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "code":
            self.is_inside = "data-field" in found
            if self.is_inside:
                self.fields.append((found["data-field"], ""))
        if tag == "input":
            self.inputs.append((found.get("name", ""), found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = self.is_inside and tag != "code"

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            name, text = self.fields[-1]
            self.fields[-1] = (name, text + data)

    def exact(self) -> dict[str, str]:
        return {name: unescape(text) for name, text in self.fields}


ROOT = User(is_superuser=True)


def ask_of(given: Any, **fields: Any) -> Ask:
    """A request without a database."""
    task = Task(pk=1, workspace=Workspace(pk=1, name="w"), worktree_path="/w", title="T")
    run = Run(pk=1, task=task, backend="claude_code", number=1)
    request = {"id": "r", "kind": "approval", "tool": "x", "input": given, "can_edit": True, **fields}
    return Ask(run, {**request, "digest": digest_of(request)})


def page_of(ask: Ask) -> str:
    return render_request([ask])


@CALM
@given(command=TEXTS, more=FIELDS)
@example("echo hello \x1b]; touch ~/x \x07", {"dangerouslyDisableSandbox": True, "run_in_background": False})
@example("\n\nls\n", {"\n": "\n"})
@example("ls" + " " * 500 + "; rm -rf ~", {})
def test_every_field_is_shown_byte_for_byte(command: str, more: dict[str, Any]) -> None:
    asked = {**more, "command": command}
    shown = Shown(page_of(ask_of(asked))).exact()
    assert shown["command"] == command
    assert set(shown) == set(asked)
    for name, value in more.items():
        if name != "command":
            assert shown[name] == value if isinstance(value, str) else json.loads(shown[name]) == value


@CALM
@given(old=TEXTS, new=TEXTS, path=TEXTS, more=st.booleans())
def test_a_change_shows_both_texts_and_every_other_field(old: str, new: str, path: str, more: bool) -> None:
    asked = {"file_path": path, "old_string": old, "new_string": new, "replace_all": more}
    shown = Shown(page_of(ask_of(asked)))
    assert (shown.exact()["file_path"], json.loads(shown.exact()["replace_all"])) == (path, more)
    rows = dict(shown.fields)["old_string → new_string"].removesuffix("\n").split("\n")
    sides = {side: "\n".join(row[1:] for row in rows if row[0] in f" {side}") for side in "-+"}
    assert (unescape(sides["-"]), unescape(sides["+"])) == (old, new)


@CALM
@given(content=TEXTS)
def test_a_new_file_shows_all_of_its_content(content: str) -> None:
    shown = Shown(page_of(ask_of({"file_path": "/w/a", "content": content})))
    rows = dict(shown.fields)["content"].removesuffix("\n").split("\n")
    assert unescape("\n".join(row.removeprefix("+") for row in rows)) == content


def test_changes_of_codex_show_where_a_file_goes() -> None:
    kinds: list[Any] = [{"type": "add"}, {"type": "update", "move_path": "/etc/cron.d/x"}, {"type": "delete"}]
    changes = [{"path": f"/w/{number}", "kind": kind, "diff": "a\nb"} for number, kind in enumerate(kinds)]
    shown = Shown(page_of(ask_of({"changes": changes, "grantRoot": "/"}))).exact()
    assert shown["2. kind"] == '{"type": "update", "move_path": "/etc/cron.d/x"}'
    assert (shown["1. diff"], shown["2. diff"], shown["3. diff"]) == ("+a\n+b\n", "a\nb", "-a\n-b\n")
    assert shown["grantRoot"] == "/"


@CALM
@given(old=st.lists(st.sampled_from("ab"), max_size=30), new=st.lists(st.sampled_from("ab"), max_size=30))
def test_a_comparison_has_all_lines_of_both_texts(old: list[str], new: list[str]) -> None:
    rows = compared("\n".join(old), "\n".join(new))
    assert [text for sign, text in rows if sign in " -"] == "\n".join(old).split("\n")
    assert [text for sign, text in rows if sign in " +"] == "\n".join(new).split("\n")


@pytest.mark.parametrize("field", ["reason", "description", "tool", "title", "cwd"])
def test_words_around_the_input_hide_nothing(field: str) -> None:
    html = page_of(ask_of({"command": "ls"}, **{field: "a\x1b[8mb\u202ec\u200bd"}))
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "\u200b" not in html
    assert field == "title" or ">\\u202e<" in html or "\\u202e" in html


@pytest.mark.parametrize("text", ["x" * (SHOWN + 1), "x\n" * 41, "x" * SHOWN + " \n"])
def test_a_long_input_is_not_allowed_before_it_was_opened(text: str) -> None:
    ask = ask_of({"command": text + "; rm -rf ~", "note": "at the end"})
    closed, opened = Shown(page_of(ask)), Shown(render_whole([ask]))
    assert len(closed.exact()["command"]) <= PREVIEW
    assert "data-unopened" in page_of(ask)
    assert "digest" not in dict(closed.inputs)
    assert opened.exact() == ask.request["input"]
    assert dict(opened.inputs)["digest"] == f"1-r={ask.digest}"


def test_what_was_cut_or_replaced_on_its_way_can_not_be_allowed() -> None:
    ask = ask_of({"command": "ls \0"})
    for changed in ({"input": {"command": "ls \u2400"}}, {"cut": 300_000}, {"digest": ""}, {"cwd": "/"}):
        html = page_of(Ask(ask.run, {**ask.request, **changed}))
        assert "This can't be allowed" in html
        assert 'value="allow' not in html
        assert 'value="deny"' in html


def test_what_is_nested_too_deeply_can_only_be_denied_and_stands_alone() -> None:
    asks = []
    for word in ("one", "other"):
        deep: Any = word
        for _ in range(2_000):
            deep = [deep]
        asks.append(ask_of({"command": "ls", "more": deep}, id=word))
        html = page_of(asks[-1])
        assert "This can't be allowed" in html
        assert 'value="allow' not in html
    assert len(groups(asks)) == 2


def test_grants_are_choices_of_their_own_in_full_words() -> None:
    grants = [
        {"id": "g1", "text": "Allow every\u202e command"},
        {"id": "g2", "text": "Switch", "mode": "edits"},
    ]
    html = page_of(
        ask_of({"command": "ls"}, grants=grants, can_allow_for_run=True, words={"run": "this call"})
    )
    assert 'value="allow_for_run"\n                  data-grant="g1"' in html
    assert 'value="allow"\n                  data-mode="edits"' in html
    assert 'Allow every<span class="esc">\\u202e</span> command' in html
    assert "this call" in html
    assert "checked" not in html


def test_a_grant_that_only_one_of_several_requests_has_is_not_offered_for_all() -> None:
    first, other = (
        ask_of({"command": "ls"}, id=f"r{n}", grants=[{"id": f"g{n}", "text": f"The folder `/w/{n}`"}])
        for n in range(2)
    )
    html = render_asks([first, other], ROOT)
    assert html.count("<article") == 1
    assert "The folder" not in html
    assert "The folder" in render_asks([first], ROOT)


def test_hidden_characters_are_edited_as_escapes() -> None:
    ask = ask_of({"command": "a\u202eb\x1b\U000e0041"})
    assert ask.edited_field == ""
    assert ask.editable.isascii()
    assert json.loads(ask.editable) == ask.request["input"]


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"command": "ls "}},
        {"input": {"command": "ls", "description": "Lists"}},
        {"input": {"command": "ls", "run_in_background": True}},
        {"tool": "mcp__x__Bash"},
        {"cwd": "/etc"},
        {"cwd": "/w/sub"},
        {"reason": "because"},
    ],
    ids=str,
)
def test_requests_that_differ_are_not_answered_together(change: dict[str, Any]) -> None:
    first = ask_of({"command": "ls"}, cwd="/w")
    other = Ask(first.run, {**first.request, **change})
    assert len(groups([first, other])) == 2


@pytest.mark.django_db
class TestAnswers:
    def test_the_same_command_in_the_worktrees_of_two_tasks_is_one_group_that_names_both(
        self, run: Run
    ) -> None:
        other = make_run(task=make_task(workspace=run.task.workspace), state="waiting")
        asks = []
        for each, folder in ((run, "/w/1"), (other, "/w/2")):
            each.task.worktree_path = folder
            asks.append(Ask(each, {**ASKED, "cwd": f"{folder}/sub", "reason": f"{folder}/a is blocked"}))
        html = render_asks(asks, ROOT)
        assert html.count("<article") == 1
        assert "/w/1/sub" in html
        assert "/w/2/sub" in html
        assert len(groups([asks[0], Ask(other, {**asks[1].request, "cwd": "/w/1/sub"})])) == 2

    def test_another_workspace_or_mode_is_another_request(self, run: Run) -> None:
        other = make_run(task=make_task(), state="waiting")
        assert len(groups([Ask(run, ASKED), Ask(other, ASKED)])) == 2
        same = make_run(task=make_task(workspace=run.task.workspace), permission_mode="full")
        assert len(groups([Ask(run, ASKED), Ask(same, ASKED)])) == 2

    def test_the_host_is_told_what_was_shown(self, run: Run, host: FakeHost, people: People) -> None:
        asked = self.asked(run, {**ASKED})
        send(people.browser("owner"), f"/runs/{run.pk}/requests/r1", decision="allow", grant="g")
        assert host.commands[0]["digest"] == asked["digest"]
        assert host.commands[0]["grant"] == "g"

    def test_an_answer_to_something_else_never_reaches_the_host(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        self.asked(run, {**ASKED})
        owner = people.browser("owner")
        answer = send(owner, f"/runs/{run.pk}/requests/r1", decision="allow", digest=f"{run.pk}-r1=0")
        assert (answer.status_code, host.commands, Outgoing.objects.count()) == (409, [], 0)

    def test_what_can_not_be_shown_can_only_be_denied(self, run: Run, host: FakeHost, people: People) -> None:
        self.asked(run, {**ASKED}, cut=300_000)
        owner = people.browser("owner")
        assert send(owner, f"/runs/{run.pk}/requests/r1", decision="allow").status_code == 409
        assert send(owner, f"/runs/{run.pk}/requests/r1", decision="deny").status_code == 204
        assert [command["command"] for command in host.commands] == ["deny"]

    def test_a_long_input_is_allowed_with_the_digest_of_its_whole(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        self.asked(run, {**ASKED, "input": {"command": "x" * 9_000}})
        owner, address = people.browser("owner"), f"/runs/{run.pk}/requests/r1"
        for decision in ("allow", "allow_for_run"):
            assert send(owner, address, decision=decision).status_code == 409
            assert send(owner, "/inbox/answer", ask=f"{run.pk}-r1", decision=decision).status_code == 409
        html = owner.get("/requests/whole", {"ask": f"{run.pk}-r1"}).content.decode()
        digest = dict(Shown(html).inputs)["digest"]
        assert send(owner, address, decision="allow", digest=digest).status_code == 204

    def test_strangers_open_nothing(self, run: Run, people: People) -> None:
        where = f"/requests/whole?ask={run.pk}-r1"
        assert people.browser("stranger").get(where).status_code == 404
        assert people.browser("member").get(where).status_code == 200
        assert people.browser("owner").get("/requests/whole?ask=x").status_code == 404

    def asked(self, run: Run, request: dict[str, Any], **later: Any) -> dict[str, Any]:
        made = {**request, "digest": digest_of(request), **later}
        Run.objects.filter(pk=run.pk).update(open_requests=[made])
        run.refresh_from_db()
        return made


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "is_limited"), [("owner", False), ("member", True)])
def test_the_inbox_marks_what_a_member_may_not_decide(who: str, is_limited: bool) -> None:
    people = People()
    asked = {"id": "r", "kind": "approval", "tool": "Bash", "input": {"command": "ls"}, "can_edit": True}
    make_run(task=people.task, state="waiting", open_requests=[asked])
    page = people.browser(who).get("/inbox").content.decode()
    assert "Allow once" in page
    assert ("data-limited" in page) is is_limited
