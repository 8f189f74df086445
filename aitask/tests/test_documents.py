"""The documents name files that exist, and link to pages and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"""(?:\]\(|src(?:set)?=")(?!https?:)([^)"#]*)(?:#([^)"]*))?[)"]""")
NAME = re.compile(r"`((?:aitask|tasks|templates|terminal|usage|workspaces)/[\w./-]*)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """The names by which GitHub links to the headings."""
    headings = HEADING.findall(document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in LINK.findall(document.read_text()):
        linked = (document.parent / target) if target else document
        assert linked.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{document.name} links to {target}#{anchor}"


def test_the_files_that_the_architecture_names_exist() -> None:
    names = NAME.findall((ROOT / "ARCHITECTURE.md").read_text())
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert len(names) > 50


def test_each_dependency_has_a_reason() -> None:
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    files = ("requirements.txt", "requirements-dev.txt")
    lines = [line for file in files for line in (ROOT / file).read_text().splitlines()]
    packages = [re.split(r"[=\[]", line)[0] for line in lines if re.match(r"\w", line)]
    assert [package for package in packages if not re.search(rf"\b{package}\b", reasons)] == []
    assert len(packages) > 20
