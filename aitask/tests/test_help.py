"""The help: the documents as pages whose links lead somewhere."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from aitask import help_pages
from tasks.tests.factories import make_user
from tasks.tests.people import browser_of

pytestmark = pytest.mark.django_db
HREF = re.compile(r'href="(/help[^"#]*|)(?:#([^"]*))?"')


@pytest.fixture
def browser() -> Client:
    return browser_of(make_user("ada"))


def test_the_help_begins_with_the_first_steps(browser: Client) -> None:
    page = browser.get("/help").content.decode()
    assert "<title>First steps · Help · AI Task Manager</title>" in page
    assert "What happens to your work" in page


def test_each_document_of_the_repository_is_a_page(browser: Client) -> None:
    assert {"first-steps", "merging", "security", help_pages.BOUNDARIES} <= set(help_pages.documents())
    for name, document in help_pages.documents().items():
        page = browser.get(f"/help/{name}").content.decode()
        assert page.count("<h1") == 1
        assert document.title in page


def test_links_between_documents_lead_to_a_section_that_exists() -> None:
    documents = help_pages.documents()
    links = [(name, *found) for name, each in documents.items() for found in HREF.findall(each.html)]
    assert len(links) > 10
    for name, path, anchor in links:
        target = documents[path.removeprefix("/help/") if path else name]
        assert not anchor or f'id="{anchor}"' in target.html, (name, path, anchor)


@pytest.mark.parametrize("name", ["nothing", "..%2Fmanage", "README", "-"])
def test_other_files_are_no_pages(browser: Client, name: str) -> None:
    assert browser.get(f"/help/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/help", "/help/merging", "/account/settings"])
def test_the_help_and_the_settings_need_a_login(path: str) -> None:
    assert browser_of(None).get(path).headers["Location"].startswith("/login")


def test_each_named_document_exists() -> None:
    assert set(help_pages.OF_PAGES.values()) <= set(help_pages.documents())


@pytest.mark.parametrize(
    ("name", "document"),
    [("workspace_terminal", "terminal"), ("workspace_edit", "workspaces"), ("usages", ""), ("", "")],
)
def test_the_longest_name_counts(name: str, document: str) -> None:
    assert help_pages.document_for(name) == document


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/", "/board"),
        ("/usage", "/usage"),
        ("/workspaces", "/workspaces"),
        ("/inbox/failed", "/conversation"),
        ("/search", "/search"),
        ("/account/settings", ""),
    ],
)
def test_a_page_leads_to_its_part_of_the_help(browser: Client, path: str, document: str) -> None:
    assert f'href="/help{document}"' in browser.get(path).content.decode()
