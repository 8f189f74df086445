"""Forms, links and unknown requests on pages and in the API: what is shown, checked, sent and kept."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.conversation import delivery
from tasks.conversation.links import ShownLink
from tasks.conversation.rendering import render_request
from tasks.models import Attention, Event, Outgoing, Run
from tasks.rendering import render_event
from tasks.tests.api_client import Script
from tasks.tests.conversation.hosts import AWAY, FakeHost
from tasks.tests.conversation.test_consent_page import ask_of
from tasks.tests.people import People, send
from workspaces.hostkit.base.consent import digest_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {
            "type": "string",
            "title": "Your name",
            "minLength": 2,
            "description": "As in\u202e the book",
        },
        "env": {"type": "string", "enum": ["dev", "prod"], "enumNames": ["Development", "Production"]},
        "sure": {"type": "boolean", "default": True},
        "count": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        "password": {"type": "string"},
    },
    "required": ["name"],
}
FORM = {
    **{"id": "r1", "kind": "form", "tool": "elicitation", "title": "demo: Fill in", "server": "demo"},
    **{"message": "Fill <b>in</b>", "schema": SCHEMA, "order": list(SCHEMA["properties"])},
}
LINK = {
    **{"id": "r1", "kind": "link", "tool": "elicitation", "title": "demo: Log in", "server": "demo"},
    **{"message": "Log in", "url": "https://login.example.com/x?y=1"},
}
UNKNOWN = {"id": "r1", "kind": "unknown", "tool": "new/thing", "title": "new/thing", "input": {"a": "<i>"}}
RAW_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "at": {
            "type": "object",
            "properties": {"street": {"type": "string", "minLength": 2}, "zip": {"type": "integer"}},
            "required": ["street"],
        },
        "kind": {"enum": ["home", "work"]},
    },
    "required": ["at"],
}
RAW = {
    **{"id": "r1", "kind": "form", "tool": "elicitation", "title": "demo: Where?", "server": "demo"},
    **{
        "message": "Where?",
        "input": {"requested schema": RAW_SCHEMA},
        "reason": "It can't be shown as a form.",
    },
}
FILLED = {"field-0": "Ann", "field-1": "prod", "field-2": "true", "field-3": "4", "field-4": "a"}


def page_of(request: dict[str, Any], **changed: Any) -> str:
    fields = {**request, **changed}
    return render_request([ask_of(fields.pop("input", None), **fields)])


class TestPage:
    def test_a_form_has_a_labelled_field_of_each_kind(self) -> None:
        html = page_of(FORM)
        for words in (
            "Asks you to fill in a form",
            "Your name",
            "Production",
            "at least 1, at most 5",
            "Decline",
        ):
            assert words in html
        assert "Fill &lt;b&gt;in&lt;/b&gt;" in html
        assert "\u202e" not in html
        ids = set(re.findall(r'\bid="([^"]+)"', html))
        named = re.findall(r'(?:for|aria-describedby)="([^"]+)"', html)
        assert {each for words in named for each in words.split()} <= ids
        assert re.search(r'name="field-5"\s+type="password"', html)
        assert re.search(r'name="field-2"\s+value="true"[^>]*checked', html)
        assert "novalidate" in html

    def test_what_can_not_be_shown_as_fields_is_shown_raw_and_answered_as_json(self) -> None:
        html = page_of(RAW)
        assert "requested schema" in html
        example = html[html.index('name="raw"') :]
        assert example.index("street") < example.index("</textarea>")
        for decision in ("submit", "deny", "cancel"):
            assert f'value="{decision}"' in html

    @pytest.mark.parametrize("changed", [{"cut": 9}, {"digest": "x"}])
    def test_what_was_cut_can_not_be_sent(self, changed: dict[str, Any]) -> None:
        ask = ask_of(None, **FORM)
        ask.request.update(changed)
        html = render_request([ask])
        assert "This can't be answered" in html
        assert 'value="submit"' not in html

    def test_a_form_without_fields_is_accepted(self) -> None:
        html = page_of(FORM, schema={"type": "object", "properties": {}}, order=[])
        assert ">Accept<" in html

    def test_a_link_is_text_and_opens_apart(self) -> None:
        html = page_of(LINK)
        assert "https://login.example.com/x?y=1</code>" in html
        assert 'rel="noopener noreferrer"' in html
        assert 'target="_blank"' in html
        assert ">login.example.com<" in html

    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https://a.b\\@c.d/",
            "https://a.b/\u202ex",
            "https:///x",
            " https://a.b",
            "https://[::1",
            "ftp://a.b",
            "//a.b",
            "https://a.b:99999/",
        ],
    )
    def test_what_is_no_plain_address_of_the_web_is_not_clickable(self, url: str) -> None:
        html = page_of(LINK, url=url)
        assert "<a" not in html.replace("<article", "")
        assert "as text only" in html
        assert 'value="allow"' in html

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("https://xn--pple-43d.com/", "\u0430pple.com"),
            ("https://\u0430pple.com/", "xn--pple-43d.com"),
            ("https://google.com@evil.example/", "The server is evil.example"),
            ("http://a.example/", "not encrypted"),
            ("https://93.184.216.34/", "by its number"),
            ("https://127.0.0.1:8000/", "your own machine"),
            ("https://localhost/", "your own machine"),
            ("https://router/", "your own machine"),
        ],
    )
    def test_an_odd_server_is_named(self, url: str, words: str) -> None:
        link = ShownLink(url)
        assert link.is_clickable
        assert words in " ".join(link.warnings)

    def test_a_usual_server_has_no_warning(self) -> None:
        assert ShownLink("https://example.com/x").warnings == []

    def test_the_unknown_is_shown_with_its_input_and_a_field_for_the_answer(self) -> None:
        html = page_of(UNKNOWN)
        assert "does not know" in html
        assert "&lt;i&gt;" in html
        assert 'name="raw"' in html

    def test_a_question_may_have_no_other_answers_and_may_be_secret(self) -> None:
        options = [{"label": "A"}]
        question = {"id": "q", "question": "Pin?", "other": False, "options": options}
        closed = page_of({"id": "r", "kind": "question", "tool": "q", "questions": [question]})
        assert 'name="other-0"' not in closed
        secret = {"id": "q", "question": "Pin?", "secret": True, "options": []}
        html = page_of(
            {"id": "r", "kind": "question", "tool": "q", "questions": [secret]},
            expires_at="2026-01-01T00:00:00Z",
        )
        assert 'type="password"' in html
        assert "goes on without an answer" in html


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["schema", "url", "order", "message", "server", "expires_at", "description"])


@settings(deadline=None, max_examples=80)
@given(kind=st.sampled_from(["form", "link", "unknown"]), fields=st.dictionaries(NAMES, JSON), given=JSON)
def test_nothing_that_a_host_sends_breaks_the_page(kind: str, fields: dict[str, Any], given: Any) -> None:
    assert 'value="deny"' in page_of({"id": "r", "kind": kind, "tool": "x", "input": given, **fields})


def asked(run: Run, request: dict[str, Any]) -> str:
    """Let the run ask this, and return where it is answered."""
    Run.objects.filter(pk=run.pk).update(open_requests=[{**request, "digest": digest_of(request)}])
    run.refresh_from_db()
    return f"/runs/{run.pk}/requests/r1"


@pytest.mark.django_db
class TestSending:
    def test_what_is_filled_in_reaches_the_host_as_values(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        where = asked(run, FORM)
        assert send(people.browser("member"), where, decision="submit", **FILLED).status_code == 204
        (command,) = host.commands
        assert (command["command"], command["digest"]) == ("submit", digest_of(FORM))
        assert command["content"] == {
            **{"name": "Ann", "env": "prod", "sure": True, "count": 4, "tags": ["a"]},
        }

    @pytest.mark.parametrize("page", ["task", "inbox"])
    def test_what_does_not_fit_is_said_beside_its_field_and_nothing_is_sent(
        self, run: Run, host: FakeHost, people: People, page: str
    ) -> None:
        where = asked(run, FORM)
        wrong = {**FILLED, "field-0": "A", "field-3": "x"}
        if page == "inbox":
            where, wrong = "/inbox/answer", {**wrong, "ask": f"{run.pk}-r1"}
        response = send(people.browser("owner"), where, decision="submit", **wrong)
        assert response.status_code == 409
        told = json.loads(response["HX-Trigger"])["problems"]
        assert told["ask"] == f"{run.pk}-r1"
        assert told["fields"] == {"field-0": "Enter at least 2 characters.", "field-3": "Enter a number."}
        assert host.commands == []
        assert not Outgoing.objects.exists()

    def test_declining_and_cancelling_are_acts_of_a_person(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        for decision, sent in (("deny", {}), ("cancel", {"cancel": True})):
            where = asked(run, FORM)
            assert send(people.browser("member"), where, decision=decision).status_code == 204
            assert host.commands[-1].items() >= {"command": "deny", **sent}.items()
            Outgoing.objects.all().delete()

    def test_a_link_is_accepted_with_what_was_shown(self, run: Run, host: FakeHost, people: People) -> None:
        where = asked(run, LINK)
        assert send(people.browser("member"), where, decision="allow").status_code == 204
        assert host.commands[0]["digest"] == digest_of(LINK)

    def test_a_raw_answer_must_be_a_json_object_and_needs_the_right_to_decide(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        where = asked(run, UNKNOWN)
        owner = people.browser("owner")
        for raw in ("", "{", "[1]", "5"):
            assert send(owner, where, decision="submit", raw=raw).status_code == 409
        assert send(people.browser("member"), where, decision="submit", raw="{}").status_code == 409
        assert host.commands == []
        assert send(owner, where, decision="submit", raw='{"ok": 1}').status_code == 204
        assert host.commands[0]["content"] == {"ok": 1}

    def test_a_raw_form_is_checked_against_its_schema_before_it_is_sent(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        where, member = asked(run, RAW), people.browser("member")
        for raw, told in {
            '{"at": {"street": "A"}, "kind": "x"}': "at least 2 characters.\nkind: It must be one of",
            "{}": "at: It is required.",
            "[1]": "The answer must be a JSON object.",
            "{": "",
        }.items():
            response = send(member, where, decision="submit", raw=raw)
            assert response.status_code == 409
            assert told in json.loads(response["HX-Trigger"])["problems"]["fields"][""]
        assert host.commands == []
        good = '{"at": {"street": "Elm", "zip": 5}, "kind": "home"}'
        assert send(member, where, decision="submit", raw=good).status_code == 204
        assert host.commands[0]["content"] == json.loads(good)

    def test_strangers_answer_nothing(self, run: Run, host: FakeHost, people: People) -> None:
        where = asked(run, FORM)
        assert send(people.browser("stranger"), where, decision="submit", **FILLED).status_code == 404
        assert host.commands == []


@pytest.mark.django_db
class TestApi:
    def test_content_answers_and_allow_fill_in_a_form(self, run: Run, host: FakeHost, people: People) -> None:
        where = asked(run, FORM)
        script = Script(people.owner)
        script.post(where, {"content": {"name": "A", "more": 1}})
        assert script.status == 422
        assert script.post(where, {"decision": "allow"})["detail"][0]["loc"] == ["body", "content", "name"]
        script.post(where, {"answers": {"name": "Ann", "count": "9"}})
        assert script.status == 422
        script.post(where, {"answers": {"name": "Ann", "count": "3", "tags": ["a", "b"]}})
        assert script.status == 200
        assert host.commands[0]["content"] == {"name": "Ann", "sure": False, "count": 3, "tags": ["a", "b"]}

    def test_a_raw_form_takes_content_that_fits_its_schema(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        where, script = asked(run, RAW), Script(people.owner)
        told = script.post(where, {"content": {"at": {"street": 5}}})["detail"][0]
        assert (script.status, told["loc"]) == (422, ["body", "content", "at.street"])
        assert script.post(where, {"decision": "allow"})["detail"][0]["loc"] == ["body", "content", "at"]
        script.post(where, {"content": {"at": {"street": "Elm"}}})
        assert (script.status, host.commands[0]["content"]) == (200, {"at": {"street": "Elm"}})

    @pytest.mark.parametrize(
        "body",
        [
            {"content": {}, "decision": "deny"},
            {"content": {}, "answers": {}},
            {"content": []},
            {"decision": "cancel", "answers": {}},
        ],
    )
    def test_what_contradicts_itself_is_refused(
        self, run: Run, host: FakeHost, people: People, body: dict[str, Any]
    ) -> None:
        script = Script(people.owner)
        script.post(asked(run, FORM), body)
        assert (script.status, host.commands) == (422, [])


@pytest.mark.django_db
class TestSecrets:
    def test_a_secret_is_kept_only_until_it_is_delivered(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        where = asked(run, FORM)
        host.answers = [AWAY]
        send(people.browser("owner"), where, decision="submit", **FILLED, **{"field-5": "hunter2"})
        assert Outgoing.objects.get().payload["content"]["password"] == "hunter2"
        delivery.deliver(run.pk)
        assert host.commands[0]["content"]["password"] == "hunter2"
        kept = Outgoing.objects.get().payload
        assert kept["content"]["password"] == "(not recorded)"
        assert kept["content"]["name"] == "Ann"

    def test_a_raw_form_that_asks_for_a_secret_is_not_kept(
        self, run: Run, host: FakeHost, people: People
    ) -> None:
        schema = {"type": "object", "properties": {"login": {"properties": {"password": {"type": "string"}}}}}
        where = asked(run, {**RAW, "input": {"requested schema": schema}})
        given = '{"login": {"password": "hunter2"}}'
        send(people.browser("owner"), where, decision="submit", raw=given)
        assert host.commands[0]["content"] == json.loads(given)
        assert Outgoing.objects.get().payload["content"] == {"login": "(not recorded)"}

    def test_a_secret_answer_to_a_question_too(self, run: Run, host: FakeHost, people: People) -> None:
        question = {"id": "q", "question": "Pin?", "secret": True, "options": []}
        where = asked(run, {"id": "r1", "kind": "question", "tool": "q", "questions": [question]})
        send(people.browser("owner"), where, decision="answer", question="q", **{"other-0": "1234"})
        assert host.commands[0]["answers"] == {"q": "1234"}
        assert "1234" not in str(Outgoing.objects.get().payload)


@pytest.mark.django_db
class TestConversation:
    def shown(self, run: Run, **data: Any) -> str:
        return str(render_event(run, Event(run=run, seq=2, kind=data["kind"], data=data, at=run.queued_at)))

    def test_a_form_and_its_answer_are_in_the_conversation(self, run: Run) -> None:
        html = self.shown(run, **{**FORM, "kind": "request", "request_kind": "form"})
        assert "Your name" in html
        assert "Fill &lt;b&gt;in&lt;/b&gt;" in html
        content = {"name": "Ann", "password": "(not recorded)"}
        closed = {"kind": "request_closed", "id": "r1", "decision": "submit", "by": "web", "content": content}
        html = self.shown(run, **closed)
        assert "Sent" in html
        assert "name: Ann" in html

    def test_what_a_cli_has_denied_stands_out(self, run: Run) -> None:
        html = self.shown(run, kind="notice", text="Claude Code denied Bash: <b>", code="denied")
        assert "needs" in html
        assert "&lt;b&gt;" in html

    def test_a_question_that_is_not_waited_for_fills_the_message_box(self, run: Run) -> None:
        question = {"question": "Which?", "options": [{"label": "A"}]}
        html = self.shown(run, kind="text", text="Half way", questions=[question, 5])
        assert 'data-fill="Which? A"' in html

    def test_a_form_is_announced(self, run: Run) -> None:
        from tasks.conversation.notifications import note_events

        asked(run, FORM)
        event: Any = {**FORM, "kind": "request", "request_kind": "form", "seq": 1}
        note_events(run, [event])
        assert Attention.objects.get().text == "demo: Fill in"
