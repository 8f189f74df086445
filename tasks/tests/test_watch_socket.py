"""What the changes page and the page of attempts are told: the title, and that something has changed."""

from __future__ import annotations

import uuid
from typing import Any, cast

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.test import Client, TransactionTestCase

from aitask.lib import doorbell
from aitask.tests.lab.web_socket import HOST, ORIGIN, Socket, start_listening
from tasks import editing
from tasks.models import Run, Task
from tasks.routing import websocket_urlpatterns
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People

in_thread = sync_to_async
APPLICATION = AuthMiddlewareStack(URLRouter(cast(Any, websocket_urlpatterns)))


class WatchSocketTest(TransactionTestCase):
    def setUp(self) -> None:
        start_listening()
        self.people = People()
        group = uuid.uuid4()
        workspace = self.people.workspace
        self.first, self.second = (
            make_task(workspace=workspace, title="Paint", attempt_group=group, attempt=number)
            for number in (1, 2)
        )

    async def open(self, name: str, task: Task) -> tuple[Socket, bool]:
        client = await in_thread(Client)()
        await in_thread(client.force_login)(getattr(self.people, name))
        cookie = client.cookies.output(header="", sep=";").split(";")[0].strip().encode()
        headers = [(b"cookie", cookie), ORIGIN, HOST]
        socket = Socket(APPLICATION, f"/ws/tasks/{task.pk}/watch", headers=headers)
        return socket, (await socket.connect())[0]

    async def message(self, socket: Socket) -> dict[str, Any]:
        told: dict[str, Any] = await socket.receive_json_from()
        await socket.send_json_to({"ack": told["n"]})
        return told

    async def test_an_edited_title_is_told_and_nothing_else_has_changed(self) -> None:
        socket, _ = await self.open("owner", self.first)
        before = await self.message(socket)
        await in_thread(editing.update_task)(self.first, user=self.people.owner, title="Paint the door")
        after = await self.message(socket)
        await socket.disconnect()
        assert (before["title"], after["title"]) == ("Paint", "Paint the door")
        assert before["version"] == after["version"]

    async def test_a_run_of_another_attempt_is_a_change(self) -> None:
        socket, _ = await self.open("owner", self.first)
        before = await self.message(socket)
        run = await in_thread(make_run)(task=self.second, state="running")
        await in_thread(doorbell.ring)(f"task:{self.second.pk}")
        started = await self.message(socket)
        await Run.objects.filter(pk=run.pk).aupdate(state="succeeded")
        await in_thread(doorbell.ring)(f"task:{self.second.pk}")
        ended = await self.message(socket)
        await socket.disconnect()
        assert len({each["version"] for each in (before, started, ended)}) == 3

    async def test_strangers_are_told_nothing(self) -> None:
        _, is_accepted = await self.open("stranger", self.first)
        assert not is_accepted
