"""Addresses of reviews, merge trains and worktrees."""

from __future__ import annotations

from django.urls import path, re_path

from tasks.review import diff_views, views

VERDICTS = "accept|take-back|send-back|drop|start-over|resolve|bring-back|restore"

urlpatterns = [
    path("tasks/<int:pk>/changes", diff_views.changes_page, name="task_changes"),
    path("tasks/<int:pk>/review", diff_views.review_bar, name="task_review"),
    path("tasks/<int:pk>/diff", diff_views.diff_list, name="task_diff"),
    path("tasks/<int:pk>/diff/file", diff_views.diff_file, name="task_diff_file"),
    path("tasks/<int:pk>/diff/viewed", diff_views.viewed, name="task_diff_viewed"),
    path("tasks/<int:pk>/comments", diff_views.comment_new, name="task_comments"),
    path("tasks/<int:pk>/comments/send", diff_views.comments_send, name="task_comments_send"),
    path("comments/<int:pk>/delete", diff_views.comment_delete, name="comment_delete"),
    re_path(rf"^tasks/(?P<pk>\d{{1,18}})/(?P<verb>{VERDICTS})$", views.task_verdict, name="task_verdict"),
    path("workspaces/<int:pk>/merge", views.merge_page, name="merge"),
    path("workspaces/<int:pk>/merge/start", views.merge_start, name="merge_start"),
    path("merge-trains/<int:pk>", views.train_page, name="train"),
    re_path(
        r"^merge-trains/(?P<pk>\d{1,18})/(?P<verb>stop|continue|undo)$", views.train_verb, name="train_verb"
    ),
    path("workspaces/<int:pk>/worktrees", views.worktrees_page, name="worktrees"),
    path("workspaces/<int:pk>/worktrees/list", views.worktrees_list, name="worktrees_list"),
    re_path(
        r"^workspaces/(?P<pk>\d{1,18})/worktrees/(?P<verb>remove|adopt|prune)$",
        views.worktree_verb,
        name="worktree_verb",
    ),
]
