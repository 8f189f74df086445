"""URLs of conversations, the inbox and notifications."""

from __future__ import annotations

from django.urls import path

from tasks.conversation import completion_views, inbox_views, notification_views, views

urlpatterns = [
    path("tasks/<int:pk>/completions", completion_views.task_completions, name="task_completions"),
    path(
        "workspaces/<int:pk>/completions",
        completion_views.workspace_completions,
        name="workspace_completions",
    ),
    path("tasks/<int:pk>/say", views.task_say, name="task_say"),
    path("tasks/<int:pk>/go-on", views.task_go_on, name="task_go_on"),
    path("tasks/<int:pk>/by-hand", views.task_by_hand, name="task_by_hand"),
    path("messages/<int:pk>/withdraw", views.message_withdraw, name="message_withdraw"),
    path("messages/<int:pk>/edit", views.message_edit, name="message_edit"),
    path("messages/<int:pk>/dismiss", views.message_dismiss, name="message_dismiss"),
    path("runs/<int:pk>/interrupt", views.run_interrupt, name="run_interrupt"),
    path("runs/<int:pk>/compact", views.run_compact, name="run_compact"),
    path("runs/<int:pk>/background/stop", views.run_stop_background, name="run_stop_background"),
    path("runs/<int:pk>/stop", views.run_stop, name="run_stop"),
    path("runs/<int:pk>/settings", views.run_settings, name="run_settings"),
    path("runs/<int:pk>/requests/<path:request_id>", views.run_answer, name="run_answer"),
    path("requests/whole", inbox_views.request_whole, name="request_whole"),
    path("worker.js", notification_views.service_worker, name="service_worker"),
    path("push/key", notification_views.push_key, name="push_key"),
    path("push/subscribe", notification_views.push_subscribe, name="push_subscribe"),
    path("reports/<int:pk>/dismiss", notification_views.report_dismiss, name="report_dismiss"),
    path("inbox", inbox_views.inbox_page, name="inbox"),
    path("inbox/finished", inbox_views.inbox_page, {"tab": "finished"}, name="inbox_finished"),
    path("inbox/failed", inbox_views.inbox_page, {"tab": "failed"}, name="inbox_failed"),
    path("inbox/seen", inbox_views.inbox_seen, name="inbox_seen"),
    path("inbox/unseen", inbox_views.inbox_unseen, name="inbox_unseen"),
    path("inbox/since", inbox_views.since_you_left, name="since_you_left"),
    path("inbox/since/dismiss", inbox_views.since_dismiss, name="since_dismiss"),
    path("inbox/answer", inbox_views.inbox_answer, name="inbox_answer"),
]
