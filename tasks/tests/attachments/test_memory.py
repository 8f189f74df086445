"""Uploads go through files: the web process has no room for them, and needs none."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator

import pytest

from aitask.tests.lab.app import App
from tasks.tests.attachments.samples import picture
from tasks.tests.attachments.uploads import SIZE, memory, post

pytestmark = [pytest.mark.server, pytest.mark.alone, pytest.mark.slow]


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with App() as application:
        application.start_role("web")
        application.wait_until_it_answers()
        yield application


def test_ten_uploads_of_20_mb_at_once_need_less_than_30_mb_and_arrive_whole(app: App) -> None:
    assert post(app, picture())[0] == 201  # loads all that is needed
    before = memory(app)
    contents = [os.urandom(SIZE) for _ in range(9)] + [picture("BMP", (3000, 2300))]
    answers: list[tuple[int, bytes]] = []
    threads = [
        threading.Thread(target=lambda data=data: answers.append(post(app, data))) for data in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [201] * 10, answers
    grown = memory(app) - before
    assert grown < 30, f"{grown} MB"
    kept = {answer.partition(b'"sha256": "')[2][:64].decode() for _, answer in answers}
    assert kept == {hashlib.sha256(data).hexdigest() for data in contents}


def test_a_larger_file_is_refused_with_the_limit(app: App) -> None:
    status, text = post(app, bytes(SIZE + (1 << 20)))
    assert (status, b"20 MB a file" in text) == (413, True)
