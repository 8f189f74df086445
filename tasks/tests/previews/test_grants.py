"""Who can open a preview, and when it closes."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from aitask.lib.errors import NotAllowed, Refused
from aitask.lib.preview_hosts import PreviewHost
from tasks.models import PreviewGrant, Task
from tasks.previews import gate, grants
from tasks.previews.grants import Opener
from tasks.tests.factories import make_run, make_task, make_user, make_workspace
from workspaces.models import ApiToken

pytestmark = pytest.mark.django_db
SITE = "aitask.localhost:8000"


@pytest.fixture(autouse=True)
def vite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host says that each task has one port."""
    found = [{"port": 5173, "address": "127.0.0.1", "program": "vite <b>"}]
    monkeypatch.setattr("tasks.previews.places.PortPlace.ask", lambda self: found)


@pytest.fixture
def task() -> Task:
    made = make_task(workspace=make_workspace(owner=make_user("owner")), worktree_path="/srv/w", branch="b")
    make_run(task=made, state="succeeded", run_dir="/state/runs/1")
    return made


def client_of(name: str) -> Client:
    made = Client(headers={"host": SITE})
    made.force_login(User.objects.get(username=name))
    return made


def opened(client: Client, task: Task, port: int = 5173) -> str:
    answer = client.post(f"/tasks/{task.pk}/ports/open", {"port": port})
    assert answer.status_code == 200, answer.content
    return str(answer.json()["url"])


def host_of(task: Task, port: int = 5173, site: str = "preview.localhost:8000") -> PreviewHost:
    return PreviewHost(f"t{task.pk}", port, f"t{task.pk}-{port}.{site}")


def cookie_of(url: str, host: PreviewHost) -> str | None:
    return grants.redeem(urlsplit(url).path.rpartition("/")[2], host)


def visited(client: Client, task: Task, port: int = 5173) -> str:
    """The cookie of a browser that has opened the preview."""
    cookie = cookie_of(opened(client, task, port), host_of(task, port))
    assert cookie
    return cookie


def is_allowed(cookie: str, host: PreviewHost) -> bool:
    return grants.check([cookie], host) is not None


def test_the_address_is_that_of_the_task_and_port_and_is_good_once(task: Task) -> None:
    url, host = opened(client_of("owner"), task), host_of(task)
    assert url.startswith(f"http://{host.name}/.aitask-preview/open/")
    cookie = cookie_of(url, host)
    assert cookie
    assert is_allowed(cookie, host)
    assert cookie_of(url, host) is None


def test_secrets_are_not_stored(task: Task) -> None:
    cookie = visited(client_of("owner"), task)
    row = PreviewGrant.objects.values().get()
    assert cookie not in str(row)


def test_an_address_is_of_no_use_at_another_name_or_later(task: Task) -> None:
    client = client_of("owner")
    url = opened(client, task)
    assert cookie_of(url, host_of(task, 3000)) is None
    assert cookie_of(url, host_of(task, site="preview.localhost:9999")) is None
    PreviewGrant.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    assert cookie_of(url, host_of(task)) is None


def test_a_cookie_is_of_no_use_for_another_task_or_port(task: Task) -> None:
    cookie = visited(client_of("owner"), task)
    assert not is_allowed(cookie, host_of(task, 3000))
    assert not is_allowed(cookie, host_of(task, site="preview.localhost:8001"))
    assert not is_allowed(
        cookie, PreviewHost(f"t{task.pk + 1}", 5173, f"t{task.pk + 1}-5173.preview.localhost:8000")
    )
    assert not is_allowed("", host_of(task))
    assert not is_allowed("guessed", host_of(task))


def test_logging_out_closes_it(task: Task) -> None:
    assert gate  # which follows logouts
    client = client_of("owner")
    cookie = visited(client, task)
    client.post("/logout")
    assert not is_allowed(cookie, host_of(task))
    assert not PreviewGrant.objects.exists()


def test_an_ended_session_closes_it(task: Task) -> None:
    client = client_of("owner")
    cookie = visited(client, task)
    client.session.flush()
    assert not is_allowed(cookie, host_of(task))


def test_a_changed_password_closes_it(task: Task) -> None:
    cookie = visited(client_of("owner"), task)
    user = User.objects.get(username="owner")
    user.set_password("another one")
    user.save()
    assert not is_allowed(cookie, host_of(task))


def test_a_disabled_account_closes_it(task: Task) -> None:
    cookie = visited(client_of("owner"), task)
    User.objects.update(is_active=False)
    assert not is_allowed(cookie, host_of(task))


def test_a_lost_right_closes_it(task: Task) -> None:
    member = make_user("member")
    task.workspace.members.add(member)
    cookie = visited(client_of("member"), task)
    assert is_allowed(cookie, host_of(task))
    task.workspace.members.remove(member)
    assert not is_allowed(cookie, host_of(task))


def test_a_done_task_has_no_previews(task: Task) -> None:
    cookie = visited(client_of("owner"), task)
    Task.objects.update(status="done")
    assert not is_allowed(cookie, host_of(task))
    answer = client_of("owner").post(f"/tasks/{task.pk}/ports/open", {"port": 5173})
    assert answer.status_code == 409


def test_a_deleted_task_closes_it(task: Task) -> None:
    cookie = visited(client_of("owner"), task)
    task.delete()
    assert not is_allowed(cookie, host_of(task))


def test_a_stranger_can_not_open_it(task: Task) -> None:
    make_user("stranger")
    client = client_of("stranger")
    assert client.post(f"/tasks/{task.pk}/ports/open", {"port": 5173}).status_code == 404
    assert client.get(f"/tasks/{task.pk}/ports").status_code == 404
    assert client.get(f"/api/tasks/{task.pk}/ports").status_code == 404


def test_a_member_opens_only_the_ports_of_the_task(task: Task) -> None:
    member = make_user("member")
    task.workspace.members.add(member)
    opener = Opener(member, session_key="x")
    with pytest.raises(NotAllowed):
        grants.open_port(task, 8080, opener, site=SITE)
    member.user_permissions.add(Permission.objects.get(codename="use_terminal"))
    may = Opener(User.objects.get(pk=member.pk), session_key="x")
    assert grants.open_port(task, 8080, may, site=SITE)


def test_a_typed_port_closes_with_the_right_to_type_it(task: Task) -> None:
    member = make_user("member")
    member.user_permissions.add(Permission.objects.get(codename="use_terminal"))
    task.workspace.members.add(member)
    cookie = visited(client_of("member"), task, 8080)
    assert is_allowed(cookie, host_of(task, 8080))
    member.user_permissions.clear()
    assert not is_allowed(cookie, host_of(task, 8080))


@pytest.mark.parametrize("port", [0, -1, 65536, 22, 1023])
def test_ports_of_the_system_and_none_at_all_are_refused(task: Task, port: int) -> None:
    with pytest.raises(Refused):
        grants.open_port(task, port, Opener(task.workspace.owner, session_key="x"), site=SITE)


def test_the_port_of_the_app_is_refused(task: Task) -> None:
    opener = Opener(task.workspace.owner, session_key="x")
    with pytest.raises(Refused, match="the app's own"):
        grants.open_port(task, 8000, opener, site=SITE, app_port=8000)


def test_another_machine_needs_the_setting(task: Task, settings: Settings) -> None:
    opener = Opener(task.workspace.owner, session_key="x")
    with pytest.raises(Refused, match="no previews"):
        grants.open_port(task, 5173, opener, site="tasks.example.com")
    settings.PREVIEW_DOMAIN = "preview.example.com"
    url = grants.open_port(task, 5173, opener, site="tasks.example.com")
    assert url.startswith(f"https://t{task.pk}-5173.preview.example.com/.aitask-preview/open/")


def test_scripts_list_and_open_ports(task: Task) -> None:
    token = ApiToken.issue(user_id=task.workspace.owner_id, name="script")
    client = Client(headers={"host": SITE, "authorization": f"Bearer {token}"})
    origin = f"http://{host_of(task).name}"
    assert client.get(f"/api/tasks/{task.pk}/ports").json() == [
        {"port": 5173, "program": "vite <b>", "url": f"{origin}/"}
    ]
    url = client.post(f"/api/tasks/{task.pk}/ports/5173/open").json()["url"]
    cookie = cookie_of(url, host_of(task))
    assert cookie
    assert is_allowed(cookie, host_of(task))
    ApiToken.objects.all().delete()
    assert not is_allowed(cookie, host_of(task))
    assert client.post(f"/api/tasks/{task.pk}/ports/70000/open").status_code in (401, 422)


def test_the_dialog_lists_ports_as_text_and_has_codes_only_for_other_devices(
    task: Task, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "tasks.example.com"]
    client = client_of("owner")
    page = client.get(f"/tasks/{task.pk}/ports").content.decode()
    assert "vite &lt;b&gt;" in page
    assert "QR code" not in page
    settings.PREVIEW_DOMAIN = "preview.example.com"
    away = {"host": "tasks.example.com"}
    assert "QR code" in client.get(f"/tasks/{task.pk}/ports", headers=away).content.decode()
    code = client.post(f"/tasks/{task.pk}/ports/code", {"port": "5173"}, headers=away)
    assert b"<svg" in code.content


def test_grants_that_nobody_can_use_are_removed(task: Task) -> None:
    client = client_of("owner")
    opened(client, task)
    PreviewGrant.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    opened(client, task)
    assert PreviewGrant.objects.count() == 1


def checkout_opened(client: Client, task: Task) -> str | None:
    """The cookie of a browser that has opened a port of the checkout of the task's workspace."""
    answer = client.post(f"/workspaces/{task.workspace_id}/ports/open", {"port": 5173})
    assert answer.status_code == 200, answer.content
    return cookie_of(answer.json()["url"], checkout_of(task))


def checkout_of(task: Task) -> PreviewHost:
    label = f"w{task.workspace_id}"
    return PreviewHost(label, 5173, f"{label}-5173.preview.localhost:8000")


def test_a_port_of_the_checkout_stays_open_whatever_happens_to_tasks(task: Task) -> None:
    cookie = checkout_opened(client_of("owner"), task)
    assert cookie
    task.delete()
    assert is_allowed(cookie, checkout_of(task))


def test_the_cookies_of_a_checkout_and_of_a_task_do_not_open_each_other(task: Task) -> None:
    client = client_of("owner")
    cookie, other = checkout_opened(client, task), visited(client, task)
    assert cookie
    assert not is_allowed(cookie, host_of(task))
    assert not is_allowed(other, checkout_of(task))


def test_only_who_decides_what_runs_sees_the_checkout(task: Task) -> None:
    member = make_user("member")
    make_user("stranger")
    task.workspace.members.add(member)
    path = f"/workspaces/{task.workspace_id}/ports"
    assert client_of("member").post(f"{path}/open", {"port": 5173}).status_code == 403
    assert "vite" not in client_of("member").get(path).content.decode()
    for name in ("", "/open", "/code"):
        assert client_of("stranger").post(f"{path}{name}", {"port": 5173}).status_code in (404, 405)
    assert client_of("stranger").get(path).status_code == 404
    member.user_permissions.add(Permission.objects.get(codename="use_terminal"))
    assert "vite" in client_of("member").get(path).content.decode()
    cookie = checkout_opened(client_of("member"), task)
    assert cookie
    assert is_allowed(cookie, checkout_of(task))
    member.user_permissions.clear()
    assert not is_allowed(cookie, checkout_of(task))
