"""Differences and comments in the browser's words: lists, rows, odd names, places that are kept or lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from aitask.tests.lab.repos import commit_file, git
from tasks.models import Comment, Radar, Run, Task
from tasks.review import picture_files
from tasks.tests.attachments.samples import archive, picture
from tasks.tests.factories import make_run, make_user
from tasks.tests.review.branches import small_repo, task_with, workspace_of
from tasks.trains import overlap
from workspaces.git.diffs import key_of
from workspaces.tests.merging.repos import History, changed

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
ODD = 'odd\t"<b>\udcff\n.txt'
CODE = "def answer():\n    return '<script>'\n"


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> tuple[Client, Task, History]:
    history = small_repo(tmp_path / "shop")
    user = make_user()
    workspace = workspace_of(history.repo, owner=user)
    files = {
        **changed(1, 2, "better"),
        "part000/file00002.txt": None,
        "moved.txt": "".join(f"line {line} of 2\n" for line in range(20)),
        "code.py": CODE,
        "data.bin": bytes(range(256)),
        "long.txt": "x" * 5_000_000 + "\n",
        ODD: "odd\n",
    }
    history.commit("one", files, parent="main").write()
    tree = tmp_path / "tree"
    git(history.repo, "worktree", "add", "-q", str(tree), "one")
    task = task_with(workspace, history.repo, "one", worktree_path=str(tree))
    client = Client()
    client.force_login(user)
    return client, task, history


def listed(client: Client, task: Task, **query: str) -> dict[str, Any]:
    answer = client.get(f"/tasks/{task.pk}/diff", query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def rows(client: Client, task: Task, path: str, **query: str) -> Any:
    return client.get(f"/tasks/{task.pk}/diff/file", {"key": key_of(path), **query})


def test_the_list_tells_kinds_renames_binaries_and_odd_names(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    files = {file["path"]: file for file in listed(client, task)["files"]}
    assert files["moved.txt"]["old_path"] == "part000/file00002.txt"
    assert files["moved.txt"]["status"] == "R"
    assert files["data.bin"]["additions"] is None
    assert (files["code.py"]["additions"], files["code.py"]["deletions"]) == (2, 0)
    assert files['odd\t"<b>\\xff\n.txt']["key"] == key_of(ODD)


def test_rows_are_escaped_coloured_and_cut(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    code = rows(client, task, "code.py").content.decode()
    assert '<span class="h-k">def</span>' in code
    assert "<script>" not in code
    assert "odd" in rows(client, task, ODD).content.decode()
    assert rows(client, task, "data.bin").headers["X-Note"] == "binary"
    long = rows(client, task, "long.txt")
    assert len(long.content) < 10_000
    assert "more characters" in long.content.decode()
    split = rows(client, task, "part000/file00001.txt", split="1").content.decode()
    assert split.count('<td class="code') == 2 * 6


def test_nothing_in_a_file_hides_from_who_reviews_it(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    (Path(task.worktree_path) / "trick.py").write_bytes(
        "a = 1\rb = 2\nc = 'user\u202e'\nd = 3\r\n\x1b[8m".encode()
    )
    git(Path(task.worktree_path), "add", "trick.py")
    git(Path(task.worktree_path), "commit", "-q", "-m", "Tricks")
    shown = rows(client, task, "trick.py").content.decode()
    lines = [re.sub("<[^>]*>", "", line) for line in shown.split("</tr>")]
    assert lines[1].endswith("a = 1\\x0db = 2")
    assert re.search(r"2added: c = .*user\\u202e", lines[2])
    assert lines[3].endswith("d = 3^M")
    assert "\\x1b[8m" in lines[4]


def test_a_comment_on_a_line_with_a_carriage_return_keeps_its_place(
    shop: tuple[Client, Task, History],
) -> None:
    client, task, _ = shop
    (Path(task.worktree_path) / "code.py").write_bytes(CODE.replace("\n", "\r\n").encode())
    git(Path(task.worktree_path), "commit", "-q", "-a", "-m", "From Windows")
    assert comment(client, task, 1, "def answer():", "Say what for.").status_code == 200
    (found,) = listed(client, task)["comments"]
    assert (found["line"], found["outdated"]) == (1, False)


@pytest.mark.parametrize("key", ["../x", "", "!!", key_of("/etc/passwd"), key_of("a/../../b")])
def test_keys_that_lead_elsewhere_are_refused(shop: tuple[Client, Task, History], key: str) -> None:
    client, task, _ = shop
    assert client.get(f"/tasks/{task.pk}/diff/file", {"key": key}).status_code == 409


def test_uncommitted_work_is_shown_and_the_index_left_alone(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    tree = Path(task.worktree_path)
    (tree / "fresh.txt").write_text("fresh\n")
    before = git(tree, "status", "--porcelain")
    found = listed(client, task, range="work")
    assert [file["path"] for file in found["files"]] == ["fresh.txt"]
    assert "fresh" in rows(client, task, "fresh.txt", range="work").content.decode()
    assert git(tree, "status", "--porcelain") == before == "?? fresh.txt"


def test_commits_and_todays_main_are_compared(shop: tuple[Client, Task, History]) -> None:
    client, task, history = shop
    commit_file(history.repo, "mainly.txt", "on main\n")
    commit_file(Path(task.worktree_path), "second.txt", "2\n", "Second")
    found = listed(client, task, range="main")
    assert "mainly.txt" not in [file["path"] for file in found["files"]]
    assert [commit["subject"] for commit in found["commits"]] == ["Second", "Work on one"]
    one = listed(client, task, range=f"commit:{found['commits'][0]['sha']}")
    assert [file["path"] for file in one["files"]] == ["second.txt"]
    foreign = git(history.repo, "rev-parse", "main")
    assert client.get(f"/tasks/{task.pk}/diff", {"range": f"commit:{foreign}"}).status_code == 409


def test_a_viewed_mark_goes_when_the_file_changes(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    code = next(file for file in listed(client, task)["files"] if file["path"] == "code.py")
    mark = {"key": code["key"], "version": code["version"], "viewed": "yes"}
    assert client.post(f"/tasks/{task.pk}/diff/viewed", mark).status_code == 204
    assert next(f for f in listed(client, task)["files"] if f["path"] == "code.py")["viewed"]
    commit_file(Path(task.worktree_path), "code.py", CODE + "# more\n")
    assert not next(f for f in listed(client, task)["files"] if f["path"] == "code.py")["viewed"]


def comment(client: Client, task: Task, line: int, quote: str, text: str) -> Any:
    commit = listed(client, task)["commit"]
    place = {"key": key_of("code.py"), "side": "new", "line": line, "end_line": line, "commit": commit}
    body = json.dumps({**place, "quote": quote, "text": text})
    return client.post(f"/tasks/{task.pk}/comments", body, content_type="application/json")


def test_comments_keep_their_place_or_say_that_they_are_outdated(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    assert comment(client, task, 1, "def answer():", "Say what for.").status_code == 200
    assert comment(client, task, 2, "    return '<script>'", "Escape it.").status_code == 200
    commit_file(Path(task.worktree_path), "code.py", "# a\n# b\ndef answer():\n    return 42\n")
    found = {each["text"]: each for each in listed(client, task)["comments"]}
    assert (found["Say what for."]["line"], found["Say what for."]["outdated"]) == (3, False)
    assert found["Escape it."]["outdated"]


def test_all_comments_go_to_the_agent_as_one_message(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    make_run(task=task, state="succeeded", cli_session="session-1")
    comment(client, task, 1, "def answer():", "Say what for.")
    comment(client, task, 2, "    return '<script>'", "Escape it.")
    assert client.post(f"/tasks/{task.pk}/send-back", {"message": "Nearly!"}).status_code == 302
    run = Run.objects.get(task=task, state="queued")
    assert run.resumes == "session-1"
    for words in ("Nearly!", "`code.py`, line 2:", ">     return '<script>'", "Say what for.", "Escape it."):
        assert words in run.prompt
    assert not Comment.objects.filter(sent_at=None).exists()


def test_an_empty_comparison_says_why_and_what_to_do(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    tree = Path(task.worktree_path)

    def said(name: str = "base") -> str:
        answer = listed(client, task, range=name)
        assert bool(answer["nothing"]) == (answer["files"] == [])
        return str(answer["nothing"])

    assert said() == ""
    assert said("work") == "Everything in the worktree is committed."
    git(tree, "commit", "-q", "--allow-empty", "-m", "Nothing")
    assert said(f"commit:{git(tree, 'rev-parse', 'HEAD')}") == "This commit changes no files."
    git(tree, "reset", "-q", "--hard", task.base_commit)
    assert "Request changes" in said()
    (tree / "loose.txt").write_text("loose\n")
    assert "1 file in the worktree is changed. Choose “Uncommitted”" in said()
    (tree / "loose.txt").unlink()
    Run.objects.filter(task=task).update(state=Run.State.RUNNING)
    assert "will appear here" in said("turn")


def test_who_has_chosen_nothing_sees_what_is_not_committed_before_the_first_commit(
    shop: tuple[Client, Task, History],
) -> None:
    client, task, _ = shop
    tree = Path(task.worktree_path)
    assert listed(client, task)["range"] == "base"
    git(tree, "reset", "-q", "--hard", task.base_commit)
    (tree / "loose.txt").write_text("loose\n")
    found = listed(client, task)
    assert (found["range"], [file["path"] for file in found["files"]]) == ("work", ["loose.txt"])


def test_another_edit_of_as_many_lines_is_another_version(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    file = Path(task.worktree_path) / 'odd "näme".txt'

    def version() -> str:
        (found,) = listed(client, task, range="work")["files"]
        return str(found["version"])

    file.write_text("one\n")
    first = version()
    file.write_text("two\n")
    assert version() != first


def test_differences_of_white_space_alone_are_told_of(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    tree = Path(task.worktree_path)
    git(tree, "reset", "-q", "--hard", task.base_commit)
    file = tree / "part000/file00001.txt"
    commit_file(tree, "part000/file00001.txt", file.read_text().replace("line", "line "))
    assert len(listed(client, task)["files"]) == 1
    assert "Only whitespace differs" in listed(client, task, space="1")["nothing"]


@pytest.mark.parametrize(
    ("state", "first", "primary", "words"),
    [
        ("succeeded", "Accept", True, ""),
        ("failed", "Accept anyway", False, "The last run failed"),
        ("cancelled", "Accept anyway", False, "The last run was cancelled"),
        ("running", "", False, "A run is in progress"),
        ("waiting", "", False, "The agent is waiting for you"),
        ("queued", "", False, "A run is queued"),
    ],
)
def test_what_can_be_decided_fits_how_the_last_run_stands(
    shop: tuple[Client, Task, History], state: str, first: str, primary: bool, words: str
) -> None:
    client, task, _ = shop
    Run.objects.filter(task=task).update(state=state)
    html = " ".join(client.get(f"/tasks/{task.pk}/review").content.decode().split())
    buttons = re.findall(r"</svg>\s?([^<>]+?)\s?(?:<kbd>\w</kbd>\s?)?</button>", html)
    assert (buttons or [""])[0] == first
    assert ("Merge…" in html) == (first == "Accept")
    assert ("primary" in html) == primary
    assert words in " ".join(html.split())


def test_strangers_see_nothing(shop: tuple[Client, Task, History]) -> None:
    _, task, _ = shop
    stranger = Client()
    stranger.force_login(make_user())
    for path in ("diff", "diff/file", "changes", "review"):
        assert stranger.get(f"/tasks/{task.pk}/{path}").status_code == 404
    for path in ("accept", "drop", "comments", "send-back", "diff/viewed", "resolve"):
        assert stranger.post(f"/tasks/{task.pk}/{path}").status_code == 404
    for path in ("merge", "worktrees", "worktrees/list"):
        assert stranger.get(f"/workspaces/{task.workspace_id}/{path}").status_code == 404


def test_the_api_accepts_merges_and_undoes(shop: tuple[Client, Task, History]) -> None:
    from tasks.models import MergeTrain
    from tasks.tests.api_client import Script
    from tasks.tests.review.riding import ride

    _, task, history = shop
    script = Script(task.workspace.owner)
    assert script.post(f"/workspaces/{task.workspace_id}/merge") is not None
    assert script.status == 409
    assert script.post(f"/tasks/{task.pk}/accept")["status"] == "review"
    train = script.post(f"/workspaces/{task.workspace_id}/merge", {"strategy": "squash"})
    assert [step["task"] for step in train["steps"]] == [task.pk]
    ride(MergeTrain.objects.get(pk=train["id"]))
    assert script.get(f"/merge-trains/{train['id']}")["steps"][0]["state"] == "merged"
    assert script.get(f"/tasks/{task.pk}")["status"] == "done"
    script.post(f"/merge-trains/{train['id']}/undo")
    ride(MergeTrain.objects.get(pk=train["id"]))
    assert script.get(f"/merge-trains/{train['id']}")["state"] == "undone"
    assert len(git(history.repo, "rev-list", "main").splitlines()) == 1


def test_files_that_tools_run_by_themselves_are_named_before_a_merge(home: Path, tmp_path: Path) -> None:
    history = small_repo(tmp_path / "shop")
    user = make_user()
    workspace = workspace_of(history.repo, owner=user, check_command="./tools/check.sh --all")
    running = {"package.json": "{}", ".husky/pre-push": "x", "tools/check.sh": "true"}
    history.commit("one", {**running, "src/plain.py": "x = 1\n"}, parent="main").write()
    task = task_with(workspace, history.repo, "one")
    overlap.enqueue_check(workspace.pk)
    overlap.check_overlaps(Radar.objects.get().pk)
    client = Client()
    client.force_login(user)

    reasons = {file["path"]: file["runs"] for file in listed(client, task)["files"]}
    assert not reasons.pop("src/plain.py")
    assert all(reasons.values())
    assert "check command" in reasons["tools/check.sh"]
    for page in (f"/workspaces/{workspace.pk}/merge", f"/tasks/{task.pk}/review"):
        text = client.get(page).content.decode()
        assert "files that tools run by themselves" in text
        assert "<code>package.json</code>" in text
        assert "plain.py" not in text


def test_commits_of_origin_are_counted_and_can_be_left_out(shop: tuple[Client, Task, History]) -> None:
    client, task, history = shop
    history.commit("upstream", {"theirs.txt": "1\n"}, parent="main").commit("upstream", {"more.txt": "2\n"})
    history.write()
    git(history.repo, "update-ref", "refs/remotes/origin/main", "upstream")
    assert "own" not in [each["name"] for each in listed(client, task)["ranges"]]
    git(Path(task.worktree_path), "merge", "-q", "--no-edit", "origin/main")

    names = {file["path"] for file in listed(client, task)["files"]}
    own = {file["path"] for file in listed(client, task, range="own")["files"]}

    assert names - own == {"theirs.txt", "more.txt"}
    assert "code.py" in own
    row, _ = Radar.objects.get_or_create(workspace=task.workspace)
    overlap.check_overlaps(row.pk)
    bar = " ".join(client.get(f"/tasks/{task.pk}/review").content.decode().split())
    assert "contains 2 commits of origin/main" in bar
    git(history.repo, "merge", "-q", "--ff-only", "upstream")
    assert "own" not in [each["name"] for each in listed(client, task)["ranges"]]


@pytest.mark.parametrize("limit", ["1", "0", "-1"])
def test_renames_are_found_whatever_limit_a_person_has_set(
    shop: tuple[Client, Task, History], limit: str
) -> None:
    client, task, history = shop
    git(history.repo, "config", "diff.renameLimit", limit)
    tree = Path(task.worktree_path)
    for number in range(10, 20):
        git(tree, "mv", f"part000/file{number:05}.txt", f"moved{number}.txt")
        (tree / f"moved{number}.txt").write_text((tree / f"moved{number}.txt").read_text() + "more\n")
    git(tree, "commit", "-q", "-a", "-m", "Move")
    files = {file["path"]: file for file in listed(client, task)["files"]}
    assert {files[f"moved{number}.txt"]["status"] for number in range(10, 20)} == {"R"}


def test_the_review_names_work_that_is_in_no_commit(shop: tuple[Client, Task, History]) -> None:
    client, task, _ = shop
    text = "Work of this branch is in a stash, not in a commit: stash@{0}: <b>."
    Run.objects.update(outcome={"state": "succeeded", "left_out": [text]})
    assert "stash@{0}: &lt;b&gt;." in client.get(f"/tasks/{task.pk}/review").content.decode()


def test_both_versions_of_a_picture_are_shown_side_by_side_with_their_sizes(
    shop: tuple[Client, Task, History], settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    client, task, _ = shop
    tree = Path(task.worktree_path)
    commit_file(tree, "logo.png", picture(size=(60, 20)), "Old")
    old = git(tree, "rev-parse", "HEAD")
    commit_file(tree, "logo.png", picture(size=(30, 40)), "New")
    (tree / "logo.png").write_bytes(picture(size=(7, 9)))
    (tree / "new.png").write_bytes(picture() + archive())

    def shown(path: str, comparison: str) -> tuple[str, list[tuple[str, str]], int]:
        answer = rows(client, task, path, range=comparison)
        html = answer.content.decode()
        return answer.headers["X-Note"], re.findall(r"<b>(.*?)</b>|(\d+ × \d+)", html), html.count("<img")

    listed(client, task, range="work")
    last = git(tree, "rev-parse", "HEAD")
    before, after = ("Before", ""), ("After", "")
    both = [before, ("", "60 × 20"), after, ("", "30 × 40")]
    assert shown("logo.png", f"commit:{last}") == ("picture", both, 2)
    assert shown("logo.png", f"commit:{old}") == ("picture", [after, ("", "60 × 20")], 1)
    assert shown("logo.png", "work") == ("picture", [before, ("", "30 × 40"), after, ("", "7 × 9")], 2)
    assert shown("new.png", "work") == ("picture", [after], 0)
    assert "an archive in one file" in rows(client, task, "new.png", range="work").content.decode()


def test_a_picture_of_which_nothing_is_small_enough_is_not_sent(
    shop: tuple[Client, Task, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, task, _ = shop
    monkeypatch.setattr(picture_files, "MAX_PICTURE", 1 << 10)
    commit_file(Path(task.worktree_path), "large.png", picture(size=(300, 300), mode="RGB") * 3, "Large")
    html = rows(client, task, "large.png").content.decode()
    assert "<img" not in html
    assert "It is larger than" in html
