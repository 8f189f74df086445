"""Pictures that agents read or make are shown as our own copies, to who may see the task."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tasks.models import Run
from tasks.rendering import render_event
from tasks.tests.attachments.samples import archive, bomb, picture
from tasks.tests.factories import make_event, make_run
from tasks.tests.people import People, browser_of
from workspaces import hosts
from workspaces.hostkit.serve import files
from workspaces.hosts import HostError

pytestmark = pytest.mark.django_db
ABSENT = "0" * 64


class Host:
    """The boundary: a host whose files are here."""

    failure: Exception | None = None

    def call(self, verb: str, params: Any) -> Any:
        assert verb == "read_binary"
        if self.failure:
            raise self.failure
        return files.read_binary(params, None)  # type: ignore[arg-type]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(hosts, "get", lambda _address: made)
    return made


@pytest.fixture
def run(people: People, tmp_path: Path, host: Host) -> Run:
    (tmp_path / "run/pictures").mkdir(parents=True)
    return make_run(task=people.task, run_dir=str(tmp_path / "run"))


def keep(run: Run, content: bytes) -> str:
    name = hashlib.sha256(content).hexdigest()
    Path(run.run_dir, "pictures", name).write_bytes(content)
    return f"/runs/{run.pk}/pictures/{name}"


def test_a_picture_is_our_own_copy_and_no_page(run: Run, people: People) -> None:
    hidden = picture("JPEG", (900, 600)) + b"nothing of this is passed on"
    address = keep(run, hidden)
    for part, width in (("", 900), ("/thumbnail", 400)):
        response = browser_of(people.member).get(address + part)
        assert (response.status_code, response["Content-Type"]) == (200, "image/jpeg")
        assert response["Content-Disposition"] == "inline"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert b"passed on" not in response.content
        assert width_of(response.content) == width


def width_of(content: bytes) -> int:
    return Image.open(io.BytesIO(content)).width


@pytest.mark.parametrize(
    "content",
    [b"<html><script>alert(1)</script>", picture() + archive(), bomb(), picture()[:60]],
    ids=["a page", "an archive, too", "a bomb", "damaged"],
)
def test_what_is_no_harmless_picture_is_refused_with_a_sentence(
    run: Run, people: People, content: bytes
) -> None:
    response = browser_of(people.member).get(keep(run, content))
    assert (response.status_code, response["Content-Type"]) == (422, "text/plain; charset=utf-8")
    assert response.content.decode().endswith(".")


def test_a_picture_that_an_agent_has_replaced_is_not_shown(run: Run, people: People) -> None:
    address = keep(run, picture())
    Path(run.run_dir, "pictures", address.rpartition("/")[2]).write_bytes(picture(size=(9, 9)))
    assert browser_of(people.member).get(address).status_code == 404


def test_a_link_in_the_place_of_a_picture_is_not_followed(run: Run, people: People, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").write_bytes(picture())
    name = hashlib.sha256(picture()).hexdigest()
    Path(run.run_dir, "pictures", name).symlink_to(tmp_path / "elsewhere.png")
    assert browser_of(people.member).get(f"/runs/{run.pk}/pictures/{name}").status_code == 404


def test_a_host_that_is_away_is_said(run: Run, people: People, host: Host) -> None:
    address = keep(run, picture())
    host.failure = HostError("cloud does not answer.", code="timeout", retryable=True)
    response = browser_of(people.member).get(address)
    assert (response.status_code, response.content.decode()) == (503, "cloud does not answer.")


def test_only_who_may_see_the_task_sees_its_pictures(run: Run, people: People) -> None:
    address = keep(run, picture())
    assert browser_of(people.stranger).get(address).status_code == 404
    assert browser_of(None).get(address).status_code == 302


def test_the_conversation_names_them_once_and_nothing_else(run: Run) -> None:
    pictures: list[Any] = [{"sha256": ABSENT, "size": 2048}, {"sha256": ABSENT}, {"sha256": "x' onerror="}, 7]
    html = render_event(run, make_event(run, "tool_result", id="1", output="seen", pictures=pictures))
    assert html.count("<img") == 1
    assert f"/runs/{run.pk}/pictures/{ABSENT}/thumbnail" in html
    assert "onerror" not in html


def test_a_result_without_pictures_has_none(run: Run) -> None:
    html = render_event(run, make_event(run, "tool_result", id="1", output="seen", pictures="x"))
    assert "<img" not in html
