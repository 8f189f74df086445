"""The lists of models as a person meets them: asked at the start, shown per host, passed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from aitask.tests.lab.app import App
from aitask.tests.lab.browser import Chromium, open_page, press
from aitask.tests.lab.cli_home import make_cli_home
from aitask.tests.lab.headless import run_codex
from aitask.tests.lab.repos import make_repo
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.tools import SYSTEM_PATH
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import BACKENDS, World
from workspaces.tests.fake_clis import FakeCli, fake_claude, fake_codex

pytestmark = pytest.mark.server
MANY = 6
"Runs at once: more only wait for each other on a small machine."


def ids(answer: Any) -> dict[str, list[str]]:
    return {each["backend"]: [model["id"] for model in each["models"]] for each in answer}


def listed(app: App, query: str = "") -> Any:
    """The lists once every CLI has answered or failed."""

    def settled() -> Any:
        answer = app.api.get(f"/api/models{query}")
        return answer if answer and all(each["fetched_at"] or each["error"] for each in answer) else None

    return wait_for(settled, 60, "lists of models")


class TestWithInventedClis:
    """A machine whose CLIs the test writes."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "bin"

    @pytest.fixture
    def machine(self, folder: Path) -> Iterator[App]:
        folder.mkdir()
        with App({"PATH": f"{folder}:{SYSTEM_PATH}"}) as app:
            yield app

    def restart(self, app: App) -> None:
        app.stop()
        app.up()

    def test_a_list_is_asked_for_once_kept_over_a_restart_and_changes_with_the_cli(
        self, machine: App, folder: Path
    ) -> None:
        claude = fake_claude(folder, "default", "opus")
        fake_codex(folder, ["gpt-a"])
        machine.up()
        assert ids(listed(machine)) == {"claude_code": ["default", "opus"], "codex": ["gpt-a"]}
        assert claude.times_run == 1
        fetched = listed(machine)[0]["fetched_at"]

        self.restart(machine)
        assert listed(machine)[0]["fetched_at"] == fetched
        assert claude.times_run == 1

        fake_claude(folder, "default", "fable", version="9.2.0")
        self.restart(machine)
        wait_for(lambda: ids(listed(machine))["claude_code"] == ["default", "fable"], 30, "the new list")
        assert listed(machine)[0]["cli_version"] == "9.2.0"

    def test_a_host_with_one_cli_offers_only_that_one(
        self, machine: App, folder: Path, chromium: Chromium
    ) -> None:
        fake_codex(folder, ["gpt-a"])
        machine.up()
        answer = {each["backend"]: each for each in listed(machine)}
        assert answer["claude_code"]["models"] == []
        assert "not installed" in answer["claude_code"]["error"]
        machine.api.add_workspace("shop", str(make_repo(machine.folder / "repo")))
        with open_page(chromium, machine.site) as page:
            machine.show(page, "/tasks/new")
            expect(page.get_by_label("CLI")).to_have_value("codex")
            expect(page.get_by_label("CLI").get_by_role("option", name="Claude Code")).to_be_disabled()
            expect(page.get_by_text("Claude Code: claude is not installed")).to_be_visible()

    def test_refresh_models_asks_again_and_keeps_the_last_list_of_a_broken_cli(
        self, machine: App, folder: Path
    ) -> None:
        fake_claude(folder, "default", "opus")
        machine.up()
        listed(machine)
        fake_claude(folder, "default", "newest")
        assert "default, newest" in machine.manage("refresh_models", "--host", "local")
        fake_claude(folder, behaviour="breaks")
        assert "it is broken today" in machine.manage("refresh_models", check=False)
        claude = listed(machine)[0]
        assert ids([claude]) == {"claude_code": ["default", "newest"]}
        assert claude["stale"]
        assert "it is broken today" in claude["error"]


@pytest.fixture(scope="module")
def claude(tmp_path_factory: pytest.TempPathFactory) -> FakeCli:
    """Beside it lies a Codex with two models."""
    folder = tmp_path_factory.mktemp("bin")
    fake_codex(folder, ["gpt-a", "gpt-b"])
    return fake_claude(folder, "default", "opus")


@pytest.fixture(scope="module")
def machine(claude: FakeCli) -> Iterator[App]:
    """Its lists are there, and a workspace."""
    with App({"PATH": f"{claude.path.parent}:{SYSTEM_PATH}"}) as app:
        app.up()
        listed(app)
        app.api.add_workspace("shop", str(make_repo(app.folder / "repo")))
        yield app


class TestTheForm:
    """One machine and one page for all: both CLIs are the test's, and nothing of theirs changes."""

    @pytest.fixture
    def page(self, machine: App, chromium: Chromium) -> Iterator[Page]:
        with open_page(chromium, machine.site) as page:
            machine.show(page)
            yield page

    def test_it_is_filled_in_by_keyboard_alone(self, machine: App, page: Page, claude: FakeCli) -> None:
        lists = claude.times_run
        press(page, "n")
        # The focused box asks the chosen CLI for its commands, once. No list of models is asked for.
        wait_for(lambda: claude.times_run == lists + 1, 20, "the request for commands")
        asked = claude.times_run
        page.get_by_role("dialog").get_by_label("Effort").wait_for()
        expect(page.get_by_label("What should be done?")).to_be_focused()
        page.keyboard.type("By keyboard")
        choose(page, "CLI", "Codex", presses=5)
        expect(page.get_by_label("Model", exact=True)).to_have_value("gpt-a")
        choose(page, "Model", "gpt-b", presses=1, typed="gpt-b")
        expect(page.locator(".effortchoice code")).to_have_text("gpt-b")
        press(page, "Tab")
        expect(page.get_by_label("Effort")).to_be_focused()
        expect(page.get_by_label("Effort")).to_have_value("low")
        create = page.get_by_role("button", name="Create", exact=True)
        while not create.evaluate("button => button === document.activeElement"):
            press(page, "Tab")
        press(page, "Enter")
        expect(page.get_by_role("link", name="By keyboard", exact=True)).to_be_visible()
        task = self.task(machine, "By keyboard")
        assert (task["backend"], task["model"], task["reasoning_effort"]) == ("codex", "gpt-b", "low")
        assert claude.times_run == asked, "the browser must not start a CLI"

    def test_a_skeleton_stands_where_the_next_fields_load(self, page: Page) -> None:
        page.goto("/tasks/new")
        held: list[Route] = []
        page.route("**/tasks/new/fields?*", lambda route: held.append(route))
        page.get_by_label("CLI").select_option("codex")
        loading = page.locator(".modelchoice.htmx-request")
        expect(loading).to_have_count(1)
        expect(page.get_by_label("Model", exact=True)).to_have_css("animation-name", "shimmer")
        expect(page.get_by_label("CLI")).to_have_css("animation-name", "none")
        held[0].continue_()
        expect(loading).to_have_count(0)
        expect(page.get_by_label("Model", exact=True)).to_have_value("gpt-a")

    def test_a_model_outside_the_list_is_typed_and_warned_of(self, machine: App, page: Page) -> None:
        page.goto("/tasks/new")
        page.get_by_label("What should be done?").fill("Typed")
        page.get_by_label("Model", exact=True).select_option("*")
        page.get_by_label("Model name").fill("fable")
        page.get_by_label("Model name").press("Tab")
        expect(page.get_by_text("fable is not in the model list of Claude Code")).to_be_visible()
        page.get_by_role("button", name="Create", exact=True).press("Enter")
        expect(page.locator(".card").get_by_text("fable is not in the model list")).to_be_visible()
        page.get_by_role("link", name="Typed", exact=True).click()
        expect(page.locator("#head").get_by_text("fable is not in the model list")).to_be_visible()
        assert self.task(machine, "Typed")["model"] == "fable"

    def task(self, machine: App, title: str) -> Any:
        return next(task for task in machine.api.get("/api/tasks") if task["title"] == title)


def choose(page: Page, label: str, option: str, *, presses: int, typed: str = "") -> None:
    """Go to a field by Tab and choose by typing the beginning of an option."""
    for _ in range(presses):
        press(page, "Tab")
    field = page.get_by_label(label, exact=True)
    expect(field).to_be_focused()
    page.keyboard.type(typed or option[:3])
    expect(field.locator("option:checked")).to_have_text(option)


def test_two_hosts_show_a_list_each(tmp_path: Path) -> None:
    with SshLab() as lab:
        there = fake_clis_of(lab)
        with App({"SSH_CONFIG": str(lab.config), "PATH": f"{tmp_path / 'bin'}:{SYSTEM_PATH}"}) as app:
            fake_claude(tmp_path / "bin", "default", "here-only")
            app.up()
            here = app.api.add_workspace("here", str(make_repo(app.folder / "repo")))
            repo = lab.make_repo()
            cloud = app.api.add_workspace("cloud", str(repo), kind="ssh", ssh_host="cloud", environment=there)
            answers = {each["name"]: ids(listed(app, f"?workspace={each['id']}")) for each in (here, cloud)}
    assert answers["here"] == {"claude_code": ["default", "here-only"], "codex": []}
    assert answers["cloud"] == {"claude_code": ["default", "cloud-only"], "codex": ["gpt-cloud"]}


def fake_clis_of(lab: SshLab) -> dict[str, str]:
    """CLIs on the lab's host, and the variables that lead to them."""
    folder = lab.account.home / "clis"
    fake_claude(folder, "default", "cloud-only")
    fake_codex(folder, ["gpt-cloud"])
    lab.account.own(folder)
    return {"PATH": f"{folder}:{SYSTEM_PATH}"}


@pytest.mark.cli
@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.long("every model and effort of the CLI")
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_model_and_effort_reaches_the_endpoint_as_chosen(backend: str) -> None:
    """A run for each model with one of its efforts. One run goes through all of them, turn by turn."""
    with World() as world:
        lists = listed(world.app, f"?workspace={world.workspace}")
        models = next(each["models"] for each in lists if each["backend"] == backend)
        place = world.add_workspace("asking", permission_mode="ask", max_parallel_runs=MANY)["id"]
        with ThreadPoolExecutor(MANY) as people:
            jobs = [people.submit(try_efforts, world, place, backend, *each) for each in enumerate(models)]
            seen = [pair for job in jobs for pair in job.result()]
        wanted = [
            (name_at_endpoint(model), at_endpoint(world, model, effort))
            for number, model in enumerate(models)
            for effort in efforts(model, number)
        ]
    assert seen == wanted
    print(f"{backend}: {len(wanted)} combinations")


def try_efforts(world: World, workspace: int, backend: str, number: int, model: Any) -> list[tuple[str, str]]:
    """The pairs of model and effort that the endpoint was asked for, turn by turn.

    The agent asks before each command, so that a turn goes on until the next one is prepared.
    """
    first, *others = efforts(model, number)
    words = {"model": model["id"], "reasoning_effort": first, "workspace": workspace}
    run = world.start(f"effort-0 of {model['id']}\n@bash touch 0", backend, **words)
    address = f"/api/runs/{run['id']}"
    for turn, effort in enumerate(others, 1):
        request = next_request(world, run, turn)
        world.api.post(f"{address}/settings", {"reasoning_effort": effort})
        world.api.post(
            f"{address}/message", {"text": f"effort-{turn}\n@bash touch {turn}", "when": "after_turn"}
        )
        world.api.post(f"{address}/requests/{request}", {"decision": "allow"})
    request = next_request(world, run, len(others) + 1)
    world.api.post(f"{address}/requests/{request}", {"decision": "allow"})
    ended = world.api.wait_for_run(run["id"], timeout=300)
    assert ended["state"] == "succeeded", (model["id"], ended["reason"])
    (started,) = world.events(run, "started")
    assert (started.get("reasoning_effort") or "") == first
    return [pair_of_turn(world, ended, turn) for turn in range(len(others) + 1)]


def next_request(world: World, run: Any, number: int) -> str:
    """The id of the run's request with this number, from 1."""

    def opened() -> str:
        now = world.api.run(run["id"])
        assert not now["finished_at"], now["reason"]
        still_open = {str(request["id"]) for request in now["open_requests"]}
        asked = [str(event["id"]) for event in world.events(run, "request")]
        return asked[-1] if len(asked) == number and asked[-1] in still_open else ""

    return wait_for(opened, 120, f"request {number}", every=0.2)


def pair_of_turn(world: World, run: Any, turn: int) -> tuple[str, str]:
    """Of its first request: Claude Code makes the rest of a turn with what was changed meanwhile."""
    requests = world.endpoint.ledger.turns(run["cli_session"])
    first = next(each for each in requests if f"effort-{turn}" in each.prompt)
    return first.model, first.effort


def efforts(model: Any, number: int) -> list[str]:
    """All efforts of the first model, and one of each other one; which goes with its number."""
    ids = [effort["id"] for effort in model["reasoning_efforts"]] or [""]
    first = number % len(ids)
    return ids[first:] + ids[:first] if number == 0 else [ids[first]]


def name_at_endpoint(model: Any) -> str:
    """An alias is resolved by the CLI, which sends the length of the context apart from the name."""
    return str(model["resolves_to"]).removesuffix("[1m]")


def at_endpoint(world: World, model: Any, effort: str) -> str:
    """What the service is told: the effort, but codex has words of its own for `ultra`: ask it by hand."""
    if effort != "ultra":
        return effort
    home = make_cli_home(world.app.folder / f"by-hand-{model['id']}", world.endpoint.url)
    by_hand = run_codex(home, world.repo, "say ok", "-m", model["id"], "-c", "model_reasoning_effort=ultra")
    (turn,) = world.endpoint.ledger.turns(by_hand.session)
    return turn.effort
