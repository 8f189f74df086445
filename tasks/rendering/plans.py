"""An approved plan in the conversation."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.html import format_html
from django.utils.safestring import SafeString

from aitask.lib.formats import icon
from tasks.rendering import markdown
from tasks.rendering.parts import NOTHING, Entry, folded
from workspaces.hostkit.escapes import prose


def approved(entry: Entry, sign: str, where: str, modes: Mapping[str, str]) -> SafeString:
    """Return the line of an approved plan, with what came then; below it the plan if the user changed it."""
    mode, edited = entry.text("permission_mode"), entry.data.get("edited_plan")
    then = modes.get(mode, mode)
    line = format_html(
        '<p class="line closes" data-closes="{}">{}<b>{}</b> <span class="dim">{}{}</span></p>',
        entry.key(),
        icon(sign, "small"),
        "Plan approved with changes" if edited else "Plan approved",
        where,
        f", then: {then}" if then else "",
    )
    return line + (_edited(str(edited)) if edited else NOTHING)


def _edited(plan: str) -> SafeString:
    body = format_html('<div class="md">{}</div>', markdown.render(prose(plan)))
    title = next((line.strip("#* ") for line in plan.splitlines() if line.strip("#* ")), "")
    return folded("list", "The plan as approved (edited)", prose(title), body)
