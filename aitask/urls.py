"""The URLs of all pages. Those of the API are in `aitask.api.urls`."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django_q.models import Schedule

from aitask import views
from aitask.backup import views as backups

# The app schedules nothing, and whoever could add a schedule there could call any function.
if admin.site.is_registered(Schedule):
    admin.site.unregister(Schedule)

handler500 = "aitask.views.server_error"

urlpatterns = [
    path("login", auth.LoginView.as_view(template_name="aitask/login.html"), name="login"),
    path("setup/<str:token>", views.setup, name="setup"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("healthz", views.health, name="health"),
    path("logout", auth.LogoutView.as_view(), name="logout"),
    path("backups", backups.backup_list, name="backups"),
    path("backups/now", backups.backup_now, name="backup_now"),
    path("backups/<str:name>", backups.backup_file, name="backup_file"),
    path("help", views.help_document, name="help"),
    path("help/<slug:name>", views.help_document, name="help_document"),
    path("account/settings", views.settings_page, name="settings"),
    path("account/password", views.PasswordPage.as_view(), name="password"),
    path("", include("tasks.urls")),
    path("", include("workspaces.urls")),
    path("", include("terminal.urls")),
    path("", include("usage.urls")),
    path("admin/", admin.site.urls),
]
