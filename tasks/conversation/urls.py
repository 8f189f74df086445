"""Addresses of talking to agents."""

from __future__ import annotations

from django.urls import path

from tasks import attention_views, inbox_views, talk_views

urlpatterns = [
    path("tasks/<int:pk>/say", talk_views.task_say, name="task_say"),
    path("tasks/<int:pk>/go-on", talk_views.task_go_on, name="task_go_on"),
    path("tasks/<int:pk>/by-hand", talk_views.task_by_hand, name="task_by_hand"),
    path("messages/<int:pk>/withdraw", talk_views.message_withdraw, name="message_withdraw"),
    path("messages/<int:pk>/edit", talk_views.message_edit, name="message_edit"),
    path("messages/<int:pk>/dismiss", talk_views.message_dismiss, name="message_dismiss"),
    path("runs/<int:pk>/interrupt", talk_views.run_interrupt, name="run_interrupt"),
    path("runs/<int:pk>/stop", talk_views.run_stop, name="run_stop"),
    path("runs/<int:pk>/settings", talk_views.run_settings, name="run_settings"),
    path("runs/<int:pk>/requests/<path:request_id>", talk_views.run_answer, name="run_answer"),
    path("worker.js", attention_views.service_worker, name="service_worker"),
    path("push/key", attention_views.push_key, name="push_key"),
    path("push/subscribe", attention_views.push_subscribe, name="push_subscribe"),
    path("reports/<int:pk>/dismiss", attention_views.report_dismiss, name="report_dismiss"),
    path("inbox", inbox_views.inbox_page, name="inbox"),
    path("inbox/answer", inbox_views.inbox_answer, name="inbox_answer"),
]
