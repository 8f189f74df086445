"""URLs of the board and of tasks."""

from __future__ import annotations

from django.urls import path

from tasks import attempt_views, prompt_template_views, session_views, task_views, views
from tasks.attachments import urls as attachment_urls
from tasks.board import views as board_views
from tasks.conversation import urls as conversation_urls
from tasks.many import urls as many_urls
from tasks.order import urls as order_urls
from tasks.planning import urls as planning_urls
from tasks.previews import urls as previews_urls
from tasks.review import urls as review_urls
from tasks.search import urls as search_urls
from tasks.spotlight import urls as spotlight_urls
from tasks.trains import urls as trains_urls
from tasks.worktrees import urls as worktrees_urls

urlpatterns = [
    *review_urls.urlpatterns,
    *trains_urls.urlpatterns,
    *worktrees_urls.urlpatterns,
    *conversation_urls.urlpatterns,
    *many_urls.urlpatterns,
    *order_urls.urlpatterns,
    *previews_urls.urlpatterns,
    *planning_urls.urlpatterns,
    *search_urls.urlpatterns,
    *attachment_urls.urlpatterns,
    *spotlight_urls.urlpatterns,
    path("", board_views.board, name="board"),
    path("board/columns", board_views.board_columns, name="board_columns"),
    path("board/filters", board_views.filter_save, name="filter_save"),
    path("board/filters/<int:pk>/delete", board_views.filter_delete, name="filter_delete"),
    path("board/cards/<str:status>", board_views.board_cards, name="board_cards"),
    path("prompt-templates", prompt_template_views.template_list, name="prompt_templates"),
    path("prompt-templates/save", prompt_template_views.template_save, name="prompt_template_save"),
    path("prompt-templates/<int:pk>/text", prompt_template_views.template_text, name="prompt_template_text"),
    path(
        "prompt-templates/<int:pk>/delete",
        prompt_template_views.template_delete,
        name="prompt_template_delete",
    ),
    path("tasks/new", views.task_new, name="task_new"),
    path("tasks/new/fields", views.task_new_fields, name="task_new_fields"),
    path("tasks/<int:pk>", task_views.task_page, name="task"),
    path("tasks/<int:pk>/events", task_views.task_events, name="task_events"),
    path("tasks/<int:pk>/events/<int:number>.<int:seq>", task_views.task_event, name="task_event"),
    path("tasks/<int:pk>/raw/<int:number>", task_views.task_raw, name="task_raw"),
    path("tasks/<int:pk>/conversation.md", task_views.task_export, name="task_export"),
    path("tasks/<int:pk>/side", task_views.task_side, name="task_side"),
    path("tasks/<int:pk>/agent-settings", task_views.agent_settings_page, name="task_agent_settings"),
    path(
        "tasks/<int:pk>/agent-settings/allow",
        task_views.agent_settings_allow,
        name="task_agent_settings_allow",
    ),
    path("tasks/<int:pk>/attempts", attempt_views.attempts_page, name="task_attempts"),
    path("tasks/<int:pk>/keep", attempt_views.attempt_keep, name="attempt_keep"),
    path("tasks/<int:pk>/edit", task_views.task_edit, name="task_edit"),
    path("tasks/<int:pk>/run", task_views.task_run, name="task_run"),
    path("tasks/<int:pk>/fork/<int:number>.<int:seq>", session_views.task_fork, name="task_fork"),
    path("tasks/<int:pk>/rescue", session_views.task_rescue, name="task_rescue"),
    path("tasks/<int:pk>/cancel", task_views.task_cancel, name="task_cancel"),
    path("tasks/<int:pk>/unqueue", task_views.task_unqueue, name="task_unqueue"),
    path("tasks/<int:pk>/start-anyway", task_views.task_start_anyway, name="task_start_anyway"),
    path("tasks/<int:pk>/move", views.task_move, name="task_move"),
    path("tasks/<int:pk>/delete", task_views.task_delete, name="task_delete"),
    path("holds/<int:pk>/try", views.hold_try, name="hold_try"),
]
