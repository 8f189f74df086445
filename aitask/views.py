"""Pages that belong to no app."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.templatetags.static import static
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from aitask import first_run, help_pages
from aitask.lib import columns


class FirstAdminForm(UserCreationForm[User]):
    class Meta:
        model = get_user_model()
        fields = ("username",)
        help_texts = {"username": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = "At least 8 characters, and not a common one."
        self.fields["password2"].help_text = ""


@login_not_required
@sensitive_post_parameters()
@never_cache
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Create the first administrator, by the one-time link that `up` has printed."""
    if not first_run.is_valid(token):
        raise Http404("This link has been used, or a newer one has been printed.")
    form = FirstAdminForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "aitask/setup.html", {"form": form}, status=422 if form.errors else 200)
    if not first_run.use(token):
        raise Http404("This link has been used.")
    form.instance.is_staff = form.instance.is_superuser = True
    login(request, form.save(), backend="django.contrib.auth.backends.ModelBackend")
    return redirect("/")


class PasswordPage(PasswordChangeView):
    """Change the user's own password."""

    template_name = "aitask/password.html"
    success_url = "/"

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, "Your password has been changed.")
        return super().form_valid(form)


@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    """Show what the user can set for this browser, and lead to the pages of the account."""
    return render(request, "aitask/settings.html", {"section": "general"})


@require_safe
def help_document(request: HttpRequest, name: str = "first-steps") -> HttpResponse:
    """Show a document of the help, with a list of all."""
    documents = help_pages.documents()
    if name not in documents:
        raise Http404("There is no such page in the help.")
    context = {"document": documents[name], "documents": documents.values()}
    return render(request, "aitask/help.html", context)


@login_not_required
@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for an exception that no view has handled: status 503 if the database is away, else 500.

    Uses no database: the pages have neither a user nor messages.
    """
    error = sys.exc_info()[1]
    if error is None or not columns.is_outage(error):
        return defaults.server_error(request)
    if "HX-Request" in request.headers:
        toast = {"text": columns.AWAY, "hint": columns.AWAY_HINT, "kind": "failed"}
        return trigger_client_event(HttpResponse(status=503), "toast", toast)
    response = HttpResponse(get_template("503.html").render(), status=503)
    response["Retry-After"] = "5"
    return response


@login_not_required
@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    """For pages without a link to the icon: the admin, the API documentation, plain texts."""
    return redirect(static("aitask/icon.svg"))


@login_not_required
@require_safe
def health(_request: HttpRequest) -> HttpResponse:
    """Return 200 if the web process is running."""
    return HttpResponse("ok", content_type="text/plain", headers={"Cache-Control": "no-store"})
