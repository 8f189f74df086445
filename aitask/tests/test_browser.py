"""At the first start the setup page opens by itself, if somebody sits there; its link is nobody else's."""

from __future__ import annotations

import io
import stat
import sys
import webbrowser
from pathlib import Path

import pytest
from pytest_django import Settings

from aitask import browser, first_run

LINK = "http://aitask.localhost:8000/setup/a-token"


class Controller(webbrowser.BaseBrowser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.opened.append(url)
        return True


@pytest.fixture
def controller(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Controller:
    settings.DATA_DIR = tmp_path
    made = Controller()
    monkeypatch.setattr(webbrowser, "get", lambda: made)
    monkeypatch.setattr(webbrowser, "open", made.open)
    return made


@pytest.mark.parametrize(
    ("terminal", "variables", "system", "expected"),
    [
        (True, {"DISPLAY": ":0"}, "linux", True),
        (True, {"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        (True, {}, "win32", True),
        (True, {}, "linux", False),
        (True, {"DISPLAY": ":10", "SSH_CONNECTION": "1 2 3 4"}, "linux", False),
        (False, {"DISPLAY": ":0"}, "linux", False),
        (False, {}, "win32", False),
    ],
)
def test_it_opens_only_where_somebody_sits(
    terminal: bool, variables: dict[str, str], system: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", system)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
    assert browser.is_at_hand(stream) is expected


def test_the_browser_gets_a_private_file_that_leads_to_the_link(controller: Controller) -> None:
    browser.open_private(LINK)
    (url,) = controller.opened
    assert url == first_run.page().as_uri()
    assert "a-token" not in url
    assert stat.S_IMODE(first_run.page().stat().st_mode) == 0o600
    assert f'content="0; url={LINK}"' in first_run.page().read_text()


def test_a_browser_in_the_terminal_is_not_opened(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
    browser.open_private(LINK)
    assert controller.opened == []


@pytest.mark.django_db
def test_the_file_is_gone_once_there_is_an_account(controller: Controller, admin_user: object) -> None:
    browser.open_private(LINK)
    assert not first_run.is_needed()
    assert not first_run.page().exists()
