"""URLs of worktrees."""

from __future__ import annotations

from django.urls import path

from tasks.worktrees import views

urlpatterns = [
    path("workspaces/<int:pk>/worktrees", views.worktrees_page, name="worktrees"),
    path("workspaces/<int:pk>/worktrees/list", views.worktrees_list, name="worktrees_list"),
    path("workspaces/<int:pk>/worktrees/remove", views.worktree_remove, name="worktree_remove"),
    path("workspaces/<int:pk>/worktrees/adopt", views.worktree_adopt, name="worktree_adopt"),
    path("workspaces/<int:pk>/worktrees/prune", views.worktrees_prune, name="worktrees_prune"),
]
