"""URLs of workspaces and API tokens."""

from __future__ import annotations

from django.urls import path

from workspaces import views
from workspaces.adding import views as adding_views
from workspaces.trials import views as trial_views

urlpatterns = [
    path("workspaces", views.workspace_list, name="workspaces"),
    path("workspaces/choices", views.workspace_choices, name="workspace_choices"),
    path("workspaces/new", views.workspace_new, name="workspace_new"),
    path("workspaces/new/host", adding_views.host, name="adding_host"),
    path("workspaces/new/trust", adding_views.trust, name="adding_trust"),
    path("workspaces/new/checks/<slug:part>", adding_views.checks, name="adding_checks"),
    path("workspaces/new/repositories", adding_views.candidates, name="adding_candidates"),
    path("workspaces/new/folder", adding_views.folder, name="adding_folder"),
    path("workspaces/new/repository", adding_views.repository, name="adding_repository"),
    path("workspaces/new/clone", adding_views.clone, name="adding_clone"),
    path("workspaces/new/clone/state", adding_views.clone_state, name="adding_clone_state"),
    path("workspaces/new/create", adding_views.create, name="adding_create"),
    path("workspaces/<int:pk>", views.workspace_page, name="workspace"),
    path("workspaces/<int:pk>/edit", views.workspace_edit, name="workspace_edit"),
    path("workspaces/<int:pk>/delete", views.workspace_delete, name="workspace_delete"),
    path("workspaces/<int:pk>/check", views.workspace_check, name="workspace_check"),
    path("workspaces/<int:pk>/clis", trial_views.cli_list, name="workspace_clis"),
    path("workspaces/<int:pk>/clis/<slug:backend>/try", trial_views.cli_try, name="cli_try"),
    path("workspaces/<int:pk>/clis/<slug:backend>/start-anyway", trial_views.cli_allow, name="cli_allow"),
    path("workspaces/<int:pk>/clis/<slug:backend>/hold", trial_views.cli_hold, name="cli_hold"),
    path("workspaces/<int:pk>/git", views.git_page, name="workspace_git"),
    path("workspaces/<int:pk>/git/decide", views.git_decide, name="workspace_git_decide"),
    path("workspaces/<int:pk>/git/ask-again", views.git_ask_again, name="workspace_git_ask_again"),
    path("workspaces/<int:pk>/trust", views.host_trust, name="host_trust"),
    path("account/tokens", views.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revoke", views.token_revoke, name="token_revoke"),
]
