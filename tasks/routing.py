"""URLs of the WebSockets."""

from __future__ import annotations

from django.urls import URLPattern, path

from tasks.board.consumers import BoardConsumer
from tasks.consumers import TaskConsumer, WatchConsumer
from tasks.conversation.consumers import AttentionConsumer, InboxConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("ws/board", BoardConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/attention", AttentionConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/inbox", InboxConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/tasks/<int:pk>", TaskConsumer.as_asgi()),  # type: ignore[arg-type]
    path("ws/tasks/<int:pk>/watch", WatchConsumer.as_asgi()),  # type: ignore[arg-type]
]
