"""A browser with a friendly and a hostile preview."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from aitask.tests.lab.axe import assert_no_barriers
from aitask.tests.lab.browser import Chromium, open_page
from tasks.tests.previews.scene import Scene

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(240)]
SECONDS = 60_000
HOSTILE = """async ({app, other}) => {
    const told = {};
    document.cookie = 'aitask_planted=1; path=/';
    document.cookie = 'aitask_planted=1; path=/; domain=localhost';
    document.cookie = 'aitask_planted=1; path=/; domain=preview.localhost';
    told.cookies = document.cookie;
    const reached = async (name, address, options) => {
        try { const answer = await fetch(address, options); told[name] = `${answer.type} ${answer.status}`; }
        catch { told[name] = 'failed'; }
    };
    await reached('api', `${app}/api/tasks`, {credentials: 'include'});
    await reached('post', `${app}/api/tasks`, {method: 'POST', credentials: 'include', body: '{}'});
    await reached('own', '/', {});
    await reached('other', `${other}/large?100`, {credentials: 'include'});
    told.socket = await new Promise((done) => {
        const socket = new WebSocket(`${app.replace('http', 'ws')}/ws/board`);
        socket.onopen = () => done('open');
        socket.onerror = () => done('refused');
    });
    told.script = await new Promise((done) => {
        const script = document.createElement('script');
        script.onload = () => done('loaded');
        script.onerror = () => done('failed');
        script.src = `${app}/static/aitask/app.js`;
        document.body.append(script);
    });
    told.frame = await new Promise((done) => {
        const frame = document.createElement('iframe');
        frame.onload = () => {
            try { done(frame.contentDocument ? 'readable' : 'closed'); } catch { done('closed'); }
        };
        frame.src = `${app}/`;
        document.body.append(frame);
    });
    told.opener = String(window.opener);
    return told;
}"""


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene() as made:
        yield made


@pytest.fixture
def page(scene: Scene, chromium: Chromium) -> Iterator[Page]:
    with open_page(chromium, scene.app.site) as opened:
        scene.app.show(opened, f"/tasks/{scene.task}")
        yield opened


def opened_by_click(page: Page, port: int) -> Page:
    with page.context.expect_page() as found:
        page.locator(f"#ports [data-port='{port}']").click(timeout=SECONDS)
    preview = found.value
    preview.wait_for_url(re.compile(r"preview\.localhost:\d+/$"), timeout=SECONDS)
    return preview


@pytest.mark.long("starts the site of its module, and looks at three pages with axe")
def test_a_port_appears_opens_with_a_click_and_is_found_again(scene: Scene, page: Page) -> None:
    expect(page.locator("#ports")).to_be_hidden()
    port = scene.start()
    preview = opened_by_click(page, port)
    assert f"localhost:{port}" in preview.locator("body").inner_text()
    assert_no_barriers(page)
    scene.stop(port)
    expect(page.locator("#ports")).to_be_hidden(timeout=SECONDS)
    preview.reload()
    expect(preview.get_by_role("status")).to_contain_text(f"Waiting for port {port}")
    assert_no_barriers(preview)
    scene.start(port)
    expect(preview.locator("body")).to_contain_text(f"localhost:{port}", timeout=SECONDS)
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Previews…").click()
    expect(page.get_by_role("dialog", name="Previews")).to_contain_text(str(port))
    assert_no_barriers(page)
    scene.stop(port)


def test_a_hostile_page_gets_no_cookie_no_frame_and_no_request_into_the_app(scene: Scene, page: Page) -> None:
    port, second = scene.start(), scene.start()
    other = opened_by_click(page, second)
    preview = opened_by_click(page, port)
    addresses = {"app": scene.app.site, "other": other.evaluate("location.origin")}
    told = preview.evaluate(HOSTILE, addresses)
    assert told == {
        "cookies": told["cookies"],
        "api": "failed",
        "post": "failed",
        "own": "basic 200",
        "other": "failed",
        "socket": "refused",
        "script": "failed",
        "frame": "closed",
        "opener": "null",
    }
    assert "aitask_preview" not in told["cookies"]
    sent = {cookie["name"] for cookie in page.context.cookies(scene.app.site)}
    assert "aitask_planted" not in sent
    program = json.loads(preview.evaluate("fetch('/').then((answer) => answer.text())"))
    assert "aitask" not in json.dumps(program)
    page.reload()
    expect(page.locator("#taskhead h1")).to_have_text("Shop")
    scene.stop(port)
    scene.stop(second)


def test_the_bar_of_spotlight_opens_what_runs_in_the_checkout(scene: Scene, page: Page) -> None:
    port = scene.start(0, "python3 -m http.server --bind 127.0.0.1 {port}", folder=scene.repo)
    fields = f"workspace_id={scene.workspace}, task_id={scene.task}, state='shown'"
    scene.do(f"from tasks.models import Spotlight; Spotlight.objects.create({fields})")
    scene.app.show(page, "/")
    page.locator(f"#spotlight-{scene.workspace}").get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name="Previews")
    button = dialog.get_by_role("button", name=f"Open port {port} in a new tab")
    expect(button).to_be_visible(timeout=SECONDS)
    assert_no_barriers(page)
    with page.context.expect_page() as found:
        button.click()
    address = re.compile(rf"//w{scene.workspace}-{port}\.preview\.localhost:\d+/$")
    found.value.wait_for_url(address, timeout=SECONDS)
    expect(found.value.get_by_role("link", name="README.md")).to_be_visible()
    scene.stop(port)
