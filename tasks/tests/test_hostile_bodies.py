"""Bodies of requests that no page sends get an answer that says what is wrong, and never an error 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.test import Client

from aitask.lib.sockets import LiveConsumer
from aitask.tests.lab.mutations import nested
from tasks.models import Comment, Run
from tasks.tests.factories import make_run, make_user
from terminal import frames

pytestmark = pytest.mark.django_db
BODIES = {
    "brackets": b"[" * 100_000,
    "objects": nested(600, objects=True),
    "closed brackets": nested(600),
    "half": b'{"a":',
    "nul": b"\0" * 500,
    "latin": b'{"a":"\xe9"}',
    "nan": b'{"a":NaN}',
    "digits": b"9" * 10_000,
    "empty": b"",
    "text": b'"text"',
    "number": b"5",
    "list": b"[1,2]",
}


@pytest.fixture(params=BODIES)
def body(request: pytest.FixtureRequest) -> bytes:
    return BODIES[request.param]


@pytest.fixture
def run() -> Run:
    return make_run(state=Run.State.RUNNING)


@pytest.fixture
def owner(client: Client, run: Run) -> Client:
    client.force_login(run.task.workspace.owner)
    return client


def test_a_subscription_that_can_not_be_read_is_refused_with_the_reason(client: Client, body: bytes) -> None:
    client.force_login(make_user())
    answer = client.post("/push/subscribe", body, content_type="application/json")
    assert answer.status_code == 400
    assert len(answer.content) > 20


def test_a_comment_that_can_not_be_read_is_refused_with_the_reason(
    owner: Client, run: Run, body: bytes
) -> None:
    answer = owner.post(f"/tasks/{run.task_id}/comments", body, content_type="application/json")
    assert answer.status_code in (400, 409)
    assert answer.json()["error"].startswith("The comment")


@pytest.mark.parametrize("line", [10**30, "9" * 500, 2**31, -(2**40), 1e300, [], None, "x", True])
def test_a_comment_on_an_impossible_line_is_refused(owner: Client, run: Run, line: Any) -> None:
    given = {
        "key": "YQ==",
        "side": "new",
        "line": line,
        "end_line": line,
        "commit": "",
        "quote": "",
        "text": "x",
    }
    answer = owner.post(f"/tasks/{run.task_id}/comments", json.dumps(given), content_type="application/json")
    assert answer.status_code < 500
    assert line is True or not Comment.objects.exists()


def test_a_body_of_the_api_that_can_not_be_read_is_refused(owner: Client, run: Run, body: bytes) -> None:
    for path in ("/api/tasks", f"/api/runs/{run.pk}/answer", f"/api/runs/{run.pk}/settings"):
        answer = owner.post(path, body, content_type="application/json")
        assert answer.status_code in (400, 404, 405, 422), path
        assert answer.json()["detail"]


def test_the_api_says_how_deep_a_body_may_be(owner: Client) -> None:
    answer = owner.post("/api/tasks", nested(300), content_type="application/json")
    assert answer.json()["hint"] == "The maximum is 100 levels of lists and objects."


@pytest.mark.parametrize("given", [b"[" * 100_000, nested(600, objects=True), b"{", b"NaN", b"[1]"])
def test_a_changed_input_that_can_not_be_read_is_refused(owner: Client, run: Run, given: bytes) -> None:
    Run.objects.filter(pk=run.pk).update(open_requests=[{"id": "r", "kind": "approval", "input": {"a": 1}}])
    data = {"decision": "allow", "input": given.decode()}
    answer = owner.post(f"/runs/{run.pk}/requests/r", data)
    assert answer.status_code < 500
    assert not run.outgoing.exists()


@pytest.mark.parametrize("text", [body.decode("latin-1") for body in BODIES.values()])
def test_a_frame_that_can_not_be_read_is_an_empty_one(text: str) -> None:
    assert frames.parse(text) == {} or text.startswith('{"a":"')


@pytest.mark.asyncio
async def test_a_socket_that_gets_a_strange_message_goes_on() -> None:
    heard: list[Any] = []

    class Listening(LiveConsumer):
        async def connect(self) -> None:
            await self.accept()

        async def disconnect(self, code: int) -> None: ...

        async def received(self, message: dict[str, Any]) -> None:
            heard.append(message)
            await self.send(text_data="heard")

    socket = WebsocketCommunicator(Listening.as_asgi(), "/")
    await socket.connect()
    for strange in filter(None, BODIES.values()):
        await socket.send_to(text_data=strange.decode("latin-1"))
    await socket.send_to(text_data='{"b":1}')
    while not heard or heard[-1] != {"b": 1}:
        assert await socket.receive_from(5) == "heard"
    await socket.disconnect()
