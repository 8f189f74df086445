"""What an open board is sent: each card that changes, if its user may see it and its filter shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.test import Client, TransactionTestCase

from aitask.lib import doorbell
from aitask.tests.lab.web_socket import HOST, ORIGIN, Socket, start_listening
from tasks import editing
from tasks.board import queries
from tasks.board.consumers import BoardConsumer
from tasks.board.feed import BoardFeed, KnownCards, read_update
from tasks.models import Task
from tasks.routing import websocket_urlpatterns
from tasks.tests.factories import make_run, make_task
from tasks.tests.people import People

in_thread = sync_to_async
APPLICATION = AuthMiddlewareStack(URLRouter(cast(Any, websocket_urlpatterns)))


class BoardSocketTest(TransactionTestCase):
    def setUp(self) -> None:
        start_listening()
        self.people = People()
        self.task = self.people.task
        self.heard = ""

    async def open(self, name: str, **show: Any) -> Socket:
        """A board of one of the people, after it has learned what the server shows it."""
        user = getattr(self.people, name)
        client = await in_thread(Client)()
        await in_thread(client.force_login)(user)
        cookie = client.cookies.output(header="", sep=";").split(";")[0].strip().encode()
        socket = Socket(APPLICATION, "/ws/board", headers=[(b"cookie", cookie), ORIGIN, HOST])
        assert (await socket.connect())[0]
        await self.show(socket, 1, **show)
        return socket

    async def show(self, socket: Socket, view: int, **show: Any) -> list[int]:
        """Tell what the page shows, which is older than the database, and wait until that is known.

        Return the views that the page is asked to load again. Cards may come before: a ring from before the
        page was opened can arrive late.
        """
        await socket.send_json_to({"t": "show", "view": view, "version": "an older one", **show})
        asked: list[int] = []
        while view not in asked:
            message = await socket.receive_json_from()
            await socket.send_json_to({"ack": message["n"]})
            asked += [message["view"]] if message["t"] == "changed" else []
        return asked

    async def change(self, title: str, task: Task | None = None) -> None:
        changed = await Task.objects.aget(pk=(task or self.task).pk)
        await in_thread(editing.update_task)(changed, user=self.people.owner, title=title)

    async def cards(self, socket: Socket, is_awaited: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next such message about tasks. How they were before a change may have been sent before."""
        while True:
            message = await socket.receive_json_from()
            await socket.send_json_to({"ack": message["n"]})
            self.heard += str(message)
            if message["t"] == "cards" and is_awaited(message):
                return dict(message)

    async def card(self, socket: Socket, title: str) -> dict[str, Any]:
        """The next message with a card of this title."""
        return await self.cards(socket, lambda message: title in str(message["cards"]))

    async def test_the_changed_card_comes_with_its_place(self) -> None:
        socket = await self.open("owner")
        await in_thread(make_task)(workspace=self.people.workspace)
        await self.change("Sort them anew")
        message = await self.card(socket, "Sort them anew")
        (card,) = [card for card in message["cards"] if card["pk"] == self.task.pk]
        assert (card["status"], card["order"]) == ("backlog", [0, self.task.rank])
        assert message["view"] == 1
        await socket.disconnect()

    async def test_every_open_board_is_told_and_a_strangers_is_not(self) -> None:
        told = [await self.open(name) for name in ("owner", "member")]
        stranger = await self.open("stranger")
        await self.change("A secret title")
        for socket in told:
            await self.card(socket, "A secret title")
        assert await stranger.receive_nothing(0.5)
        for socket in (*told, stranger):
            await socket.disconnect()

    async def test_a_board_of_one_workspace_or_of_a_search_gets_only_those_cards(self) -> None:
        workspace = self.people.workspace
        one = await self.open("owner", workspace=workspace.pk)
        none = await self.open("owner", workspace=workspace.pk + 99)
        found = await self.open("owner", q="shelves")
        await self.change("Sort the tables")
        assert len((await self.card(one, "Sort the tables"))["cards"]) == 1
        for socket in (none, found):
            message = await self.cards(socket, lambda message: message["gone"] == [self.task.pk])
            assert message["cards"] == []
        await self.change("Sort the shelves again")
        message = await self.card(found, "Sort the shelves again")
        assert (len(message["cards"]), message["counts"]["backlog"]) == (1, 1)
        for socket in (one, none, found):
            await socket.disconnect()

    async def test_who_opened_an_older_page_is_asked_to_load_it_again(self) -> None:
        socket = await self.open("owner")
        await self.show(socket, 2)
        board = await in_thread(queries.board)(self.people.owner)
        await socket.send_json_to({"t": "show", "view": 3, "version": board.version})
        assert await self.show(socket, 4) == [4]
        await socket.disconnect()

    async def test_who_may_no_longer_see_a_workspace_is_told_nothing_of_it(self) -> None:
        socket = await self.open("member")
        await in_thread(self.people.workspace.members.remove)(self.people.member)
        await self.change("Not for members")
        told = await self.cards(socket, lambda message: not any(message["counts"].values()))
        assert (told["cards"], told["gone"]) == ([], [])
        assert "Not for members" not in self.heard
        await socket.disconnect()

    async def test_the_list_beside_a_task_gets_rows(self) -> None:
        socket = await self.open("owner", rows=True)
        await self.change("A row")
        html = (await self.card(socket, "A row"))["cards"][0]["html"]
        assert html.strip().startswith(f'<li id="sib-{self.task.pk}"')
        await socket.disconnect()

    async def test_it_tells_how_many_agents_wait(self) -> None:
        socket = await self.open("owner")
        await in_thread(make_run)(task=self.task, state="waiting")
        await in_thread(doorbell.ring)(f"task:{self.task.pk}")
        message = await self.cards(socket, lambda message: bool(message["needs_you"] and message["cards"]))
        assert message["needs_you"] == 1
        assert "needs-you" in message["cards"][0]["html"]
        await socket.disconnect()

    async def test_nothing_is_sent_before_the_page_has_told_what_it_shows(self) -> None:
        client = await in_thread(Client)()
        await in_thread(client.force_login)(self.people.owner)
        cookie = client.cookies.output(header="", sep=";").split(";")[0].strip().encode()
        socket = Socket(APPLICATION, "/ws/board", headers=[(b"cookie", cookie), ORIGIN, HOST])
        assert (await socket.connect())[0]
        await self.change("Too early")
        assert await socket.receive_nothing(0.5)
        await socket.disconnect()

    async def test_an_update_that_comes_while_the_board_is_read_waits_for_its_figures(self) -> None:
        known, users = KnownCards(), [self.people.owner]
        found = await in_thread(read_update)(known, {self.task.pk}, users, compare=False)
        assert found
        join = BoardFeed.join

        def join_with_news(feed: BoardFeed, listener: BoardConsumer) -> None:
            join(feed, listener)
            listener.deliver(replace(found[0], cards={}))

        with patch.object(BoardFeed, "join", join_with_news):
            socket = await self.open("owner", q="shelves")
        await self.change("Paint the shelves")
        await self.card(socket, "Paint the shelves")
        await socket.disconnect()

    async def test_strange_words_of_a_page_are_survived(self) -> None:
        socket = await self.open("owner")
        for junk in (
            {"t": "show", "workspace": {"a": 1}},
            {"t": "show", "q": "x" * 500},
            {"t": "show", "q": ["\0"]},
        ):
            await socket.send_json_to(junk)
        await self.show(socket, 7)
        await self.change("Still there")
        message = await self.card(socket, "Still there")
        assert message["view"] == 7
        await socket.disconnect()
