"""Nobody loses what they do today.

Whoever owns a workspace may go on adding workspaces: they have chosen hosts and commands before. Everybody
else has never done so, and gets the right from an administrator. API tokens stay valid, for a year.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.db import migrations


def keep_rights(apps: Any, _schema_editor: Any) -> None:
    owners = apps.get_model("auth", "User").objects.filter(
        is_active=True, is_superuser=False, own_workspaces__isnull=False
    )
    if not owners.exists():
        return
    kinds, permissions = apps.get_model("contenttypes", "ContentType"), apps.get_model("auth", "Permission")
    kind, _ = kinds.objects.get_or_create(app_label="workspaces", model="workspace")
    right, _ = permissions.objects.get_or_create(
        content_type=kind, codename="add_workspace", defaults={"name": "Can add workspace"}
    )
    for owner in owners.distinct():
        owner.user_permissions.add(right)


def keep_tokens(apps: Any, _schema_editor: Any) -> None:
    """As `password_digest` of workspaces/models/api_token.py computes it."""
    for token in apps.get_model("workspaces", "ApiToken").objects.filter(password_digest="").select_related("user"):
        token.password_digest = hashlib.sha256(f"api token {token.user.password}".encode()).hexdigest()
        token.save(update_fields=["password_digest"])


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0006_rights_and_tokens"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(keep_rights, migrations.RunPython.noop),
        migrations.RunPython(keep_tokens, migrations.RunPython.noop),
    ]
