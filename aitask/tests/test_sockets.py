"""Live sockets: who may open one, what wakes it, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, cast
from unittest import mock

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.contrib.auth.models import User
from django.http import Http404
from django.test import Client, TransactionTestCase
from django.urls import path

from aitask.asgi import application, own_thread
from aitask.lib import doorbell, sockets
from aitask.lib.sockets import LiveConsumer
from aitask.tests.lab.web_socket import HOST, ORIGIN, PATIENCE, Socket, start_listening


def route(to: str, consumer: type[LiveConsumer]) -> URLRouter:
    return URLRouter([cast(Any, path(to, cast(Any, consumer.as_asgi())))])


class Echo(LiveConsumer):
    """Tells the topics that it was woken by."""

    poll_seconds = 60.0
    check_seconds = 60.0
    size = 0

    async def topics(self) -> set[str]:
        return {"board"}

    async def changed(self, topics: frozenset[str]) -> None:
        await self.push({"topics": sorted(topics), "filler": "x" * self.size})

    async def received(self, message: dict[str, Any]) -> None:
        await self.push({"heard": message})


class SocketTest(TransactionTestCase):
    def setUp(self) -> None:
        start_listening()
        self.user = User.objects.create_user("ada", password="x")
        self.client = Client()
        self.client.force_login(self.user)

    def cookie(self) -> tuple[bytes, bytes]:
        return (b"cookie", self.client.cookies.output(header="", sep=";").split(";")[0].strip().encode())

    def open(self, consumer: type[LiveConsumer], **settings: Any) -> Socket:
        routes = route("echo", consumer)
        return Socket(AuthMiddlewareStack(routes), "/echo", headers=[self.cookie(), ORIGIN, HOST])

    async def test_it_looks_at_everything_first_and_then_at_what_rings(self) -> None:
        socket = self.open(Echo)
        assert (await socket.connect())[0]
        assert (await socket.receive_json_from())["topics"] == ["*"]
        await sync_to_async(doorbell.ring)("board")
        while (topics := (await socket.receive_json_from(5))["topics"]) == ["*"]:
            pass  # the database was changed by somebody else
        assert "board" in topics
        await socket.disconnect()

    async def test_messages_are_numbered(self) -> None:
        socket = self.open(Echo)
        await socket.connect()
        got = [await socket.receive_json_from()]
        await socket.send_json_to({"say": 1})
        while "heard" not in got[-1]:  # the database may be changed by somebody else
            got.append(await socket.receive_json_from())
        assert [message["n"] for message in got] == list(range(1, len(got) + 1))
        assert got[-1]["heard"] == {"say": 1}
        await socket.disconnect()

    async def test_text_that_is_no_message_is_ignored(self) -> None:
        socket = self.open(Echo)
        await socket.connect()
        for junk in (" ", "{", "3", "[]", "null"):
            await socket.send_to(text_data=junk)
        await socket.send_json_to({"say": 1})
        while "heard" not in (message := await socket.receive_json_from()):
            pass
        assert message["heard"] == {"say": 1}
        await socket.disconnect()

    async def test_a_page_that_does_not_read_gets_no_more_than_the_window(self) -> None:
        class Flood(Echo):
            async def changed(self, topics: frozenset[str]) -> None:
                while True:
                    await self.push({"filler": "x" * 100_000})

        socket = self.open(Flood)
        await socket.connect()
        got = [await socket.receive_json_from() for _ in range(3)]
        assert await socket.receive_nothing(0.3)
        await socket.send_json_to({"ack": got[-1]["n"]})
        assert (await socket.receive_json_from())["n"] == 4
        await socket.disconnect()

    async def test_a_page_that_never_reads_is_closed(self) -> None:
        class Flood(Echo):
            async def changed(self, topics: frozenset[str]) -> None:
                while True:
                    await self.push({"filler": "x" * 300_000})

        with mock.patch.object(sockets, "ACK_SECONDS", 0.2):
            socket = self.open(Flood)
            await socket.connect()
            assert await socket.close_code() == sockets.TOO_SLOW

    async def ends_with(self, code: int, spoil: Callable[[], Any]) -> None:
        """An open socket is closed with `code` once `spoil` was called."""

        class Strict(Echo):
            check_seconds = 0.05

        socket = self.open(Strict)
        await socket.connect()
        await sync_to_async(spoil)()
        assert await socket.close_code() == code

    async def test_it_closes_when_the_user_logs_out(self) -> None:
        await self.ends_with(sockets.LOGIN_NEEDED, self.client.logout)

    async def test_it_closes_when_the_password_is_changed(self) -> None:
        def change() -> None:
            self.user.set_password("y")
            self.user.save()

        await self.ends_with(sockets.LOGIN_NEEDED, change)

    async def test_it_closes_when_the_account_is_locked(self) -> None:
        await self.ends_with(
            sockets.LOGIN_NEEDED, lambda: User.objects.filter(pk=self.user.pk).update(is_active=False)
        )

    async def test_a_right_that_ends_ends_in_open_sockets(self) -> None:
        class Shown(Echo):
            check_seconds = 0.05
            poll_seconds = 0.05

            async def changed(self, topics: frozenset[str]) -> None:
                await self.push({"sees_all": self.user.is_superuser})

        await User.objects.filter(pk=self.user.pk).aupdate(is_superuser=True)
        socket = self.open(Shown)
        await socket.connect()
        assert (await socket.receive_json_from())["sees_all"]
        await User.objects.filter(pk=self.user.pk).aupdate(is_superuser=False)
        while (message := await socket.receive_json_from(5))["sees_all"]:
            await socket.send_json_to({"ack": message["n"]})
        await socket.disconnect()

    async def test_it_closes_when_its_subject_is_gone(self) -> None:
        class Fading(Echo):
            check_seconds = 0.05
            asked = 0

            async def topics(self) -> set[str]:
                Fading.asked += 1
                if Fading.asked > 1:
                    raise Http404
                return {"board"}

        socket = self.open(Fading)
        await socket.connect()
        assert await socket.close_code() == sockets.NOT_FOUND

    async def test_it_ends_with_its_page_even_if_a_cancel_is_lost(self) -> None:
        class Deaf(Echo):
            poll_seconds = 0.01

            async def changed(self, topics: frozenset[str]) -> None:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(60)

        socket = self.open(Deaf)
        await socket.connect()
        await asyncio.wait_for(socket.disconnect(timeout=PATIENCE), PATIENCE)

    async def test_a_stranger_is_refused_before_it_opens(self) -> None:
        class Foreign(Echo):
            async def topics(self) -> set[str]:
                raise Http404

        assert not (await self.open(Foreign).connect())[0]

    async def test_a_failure_of_ours_is_told_by_the_close_code(self) -> None:
        class Broken(Echo):
            async def changed(self, topics: frozenset[str]) -> None:
                raise ZeroDivisionError

        socket = self.open(Broken)
        with self.assertLogs("aitask.lib.sockets", "ERROR"):
            await socket.connect()
            assert await socket.close_code() == sockets.SERVER_ERROR


class GateTest(TransactionTestCase):
    """The whole application, as the web process serves it."""

    def setUp(self) -> None:
        self.client = Client()
        self.client.force_login(User.objects.create_user("ada", password="x"))
        cookie = self.client.cookies.output(header="", sep=";").split(";")[0].strip().encode()
        self.cookie = (b"cookie", cookie)

    async def opens(self, *headers: tuple[bytes, bytes], to: str = "/ws/board") -> bool:
        socket = Socket(application, to, headers=list(headers))
        opened, _ = await socket.connect(timeout=5)
        if opened:
            await socket.disconnect()
        return bool(opened)

    async def test_a_logged_in_page_of_ours_may_open_a_socket(self) -> None:
        assert await self.opens(self.cookie, ORIGIN, HOST)

    async def test_it_opens_and_shows_what_is_there_while_redis_is_away(self) -> None:
        layer = "channels_redis.pubsub.RedisPubSubChannelLayer"
        away = {"BACKEND": layer, "CONFIG": {"hosts": ["redis://127.0.0.1:1"]}}
        with self.settings(CHANNEL_LAYERS={"default": away}):
            socket = Socket(application, "/ws/board", headers=[self.cookie, ORIGIN, HOST])
            assert (await socket.connect(timeout=5))[0]
            await socket.send_json_to({"t": "show"})
            assert (await socket.receive_json_from(5))["t"] == "changed"
            await socket.disconnect()

    async def test_without_a_login_it_is_refused(self) -> None:
        assert not await self.opens(ORIGIN, HOST)

    async def test_without_an_origin_it_is_refused(self) -> None:
        assert not await self.opens(self.cookie, HOST)

    async def test_from_another_port_of_the_same_host_it_is_refused(self) -> None:
        assert not await self.opens(self.cookie, (b"origin", b"http://localhost:3000"), HOST)

    async def test_with_two_origins_it_is_refused(self) -> None:
        assert not await self.opens(self.cookie, ORIGIN, (b"origin", b"http://evil.example"), HOST)

    async def test_an_unknown_address_is_refused(self) -> None:
        assert not await self.opens(self.cookie, ORIGIN, HOST, to="/ws/nothing")

    async def test_sockets_do_not_wait_for_each_other(self) -> None:
        """Each has a thread of its own for blocking work; with one for all, these would take 3 s."""

        class Slow(LiveConsumer):
            async def topics(self) -> set[str]:
                await sync_to_async(time.sleep)(0.6)
                return {"board"}

            async def changed(self, topics: frozenset[str]) -> None:
                await self.push({})

        app = own_thread(AuthMiddlewareStack(route("slow", Slow)))
        opened = [Socket(app, "/slow", headers=[self.cookie]) for _ in range(5)]
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(socket.connect(timeout=10) for socket in opened))
        assert asyncio.get_running_loop().time() - started < 2.4
        await asyncio.gather(*(socket.disconnect() for socket in opened))

    async def test_servers_that_ask_for_a_start_are_answered(self) -> None:
        asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        answers: list[str] = []

        async def receive() -> Any:
            return next(asked)

        async def send(message: Any) -> None:
            answers.append(json.dumps(message["type"]))

        await application(cast(Any, {"type": "lifespan"}), receive, send)
        assert answers == ['"lifespan.startup.complete"', '"lifespan.shutdown.complete"']
