"""The models of workspaces and hosts. Import them from here."""

from workspaces.models.api_token import ApiToken
from workspaces.models.choices import PermissionMode
from workspaces.models.host import BackendHold, Host, Installation, LinkGap
from workspaces.models.installed_cli import InstalledCli
from workspaces.models.model_list import ModelList
from workspaces.models.workspace import Workspace

__all__ = [
    "ApiToken",
    "BackendHold",
    "Host",
    "Installation",
    "InstalledCli",
    "LinkGap",
    "ModelList",
    "PermissionMode",
    "Workspace",
]
