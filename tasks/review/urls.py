"""URLs of diffs, comments and verdicts."""

from __future__ import annotations

from django.urls import path

from tasks.review import verdict_views, views

urlpatterns = [
    path("tasks/<int:pk>/changes", views.changes_page, name="task_changes"),
    path("tasks/<int:pk>/review", views.review_bar, name="task_review"),
    path("tasks/<int:pk>/diff", views.diff_list, name="task_diff"),
    path("tasks/<int:pk>/diff/file", views.diff_file, name="task_diff_file"),
    path("tasks/<int:pk>/diff/lines", views.diff_lines, name="task_diff_lines"),
    path("tasks/<int:pk>/diff/viewed", views.viewed, name="task_diff_viewed"),
    path("tasks/<int:pk>/comments", views.comment_new, name="task_comments"),
    path("comments/<int:pk>/delete", views.comment_delete, name="comment_delete"),
    path("tasks/<int:pk>/accept", verdict_views.task_accept, name="task_accept"),
    path("tasks/<int:pk>/take-back", verdict_views.task_take_back, name="task_take_back"),
    path("tasks/<int:pk>/send-back", verdict_views.task_send_back, name="task_send_back"),
    path("tasks/<int:pk>/drop", verdict_views.task_drop, name="task_drop"),
    path("tasks/<int:pk>/restore", verdict_views.task_restore, name="task_restore"),
    path("tasks/<int:pk>/start-over", verdict_views.task_start_over, name="task_start_over"),
]
