"""Accessibility checks of a page by axe-core."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from .tools import missing, tools_path

SERIOUS = ("serious", "critical")
ALL = ("minor", "moderate", *SERIOUS)


def serious_findings(page: Page) -> list[str]:
    """Return the serious and critical findings of axe-core on the current page, one line each."""
    return findings(page, SERIOUS)


def findings(page: Page, impacts: Collection[str] = ALL) -> list[str]:
    """Return the findings of axe-core with these impacts on the current page, one line each."""
    page.evaluate(_script().read_text())
    report: dict[str, Any] = page.evaluate("() => axe.run()")
    return [
        f"{finding['id']}: {finding['help']} at {node['target']}"
        for finding in report["violations"]
        if finding["impact"] in impacts
        for node in finding["nodes"]
    ]


def _script() -> Path:
    candidates = [Path(folder).parent / "axe-core" / "axe.min.js" for folder in tools_path()]
    script = next((path for path in candidates if path.exists()), None)
    if script is None:
        missing("axe-core is not installed; `bash .ci/test` installs it")
    return script
