"""Events as HTML: readable, and harmless whatever an agent writes."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import Any

import pytest

from aitask.lib.formats import with_times
from aitask.tests.lab.wait import wait_for
from tasks.conversation.rendering import render_talk
from tasks.models import Run
from tasks.rendering import markdown, render_event, render_head
from tasks.rendering.parts import LONGEST
from tasks.review import patches
from tasks.tests.factories import make_event, make_run
from tasks.tests.sample_board import TALK

pytestmark = pytest.mark.django_db
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)>" onmouseover="x' </pre></details>{{ x }}"""


@pytest.fixture
def run() -> Run:
    made = make_run()
    make_event(made, "state")
    return made


def html_of(run: Run, kind: str, **data: Any) -> str:
    return str(render_event(run, make_event(run, kind, **data)))


class Tags(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


TEXT_TAGS = {"a", "b", "blockquote", "br", "code", "em", "h1", "h2", "h3", "kbd", "p", "pre", "s", "strong"}
LIST_TAGS = {"li", "ol", "ul", "table", "tbody", "td", "th", "thead", "tr"}
OWN_TAGS = {"details", "div", "span", "summary", "svg", "time", "use"}


def assert_harmless(html: str) -> None:
    found = Tags(html)
    assert found.tags <= TEXT_TAGS | LIST_TAGS | OWN_TAGS
    assert not [name for name, _ in found.attributes if name.startswith(("on", "hx-", "style", "src"))]
    links = [value for name, value in found.attributes if name == "href"]
    assert all(link.startswith(("/tasks/", "/static/vendor/", "https://")) for link in links)


@pytest.mark.parametrize("kind", ["text", "thinking", "message", "notice", "error"])
def test_hostile_words_stay_words(run: Run, kind: str) -> None:
    html = html_of(run, kind, text=HOSTILE, code="other", by="prompt")
    assert_harmless(html)
    assert "alert(1)" in html


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("tool", {"id": HOSTILE, "name": HOSTILE, "title": HOSTILE, "input": {"command": HOSTILE}}),
        ("tool", {"id": "1", "name": "x", "title": "x", "input": {HOSTILE: [HOSTILE]}}),
        ("tool_result", {"id": HOSTILE, "output": HOSTILE, "exit_code": 1}),
        ("tool_result", {"id": "1", "output": [{"text": HOSTILE}]}),
        ("file_change", {"id": HOSTILE, "path": HOSTILE, "change": "add", "diff": "+" + HOSTILE}),
        (
            "request",
            {"id": HOSTILE, "request_kind": "approval", "tool": HOSTILE, "title": HOSTILE, "cwd": HOSTILE},
        ),
        ("request", {"id": "1", "request_kind": "plan", "tool": "x", "plan": HOSTILE}),
        (
            "request",
            {"id": "1", "request_kind": "question", "questions": [{"question": HOSTILE, "options": []}]},
        ),
        ("request_closed", {"id": HOSTILE, "decision": "deny", "by": "web", "text": HOSTILE}),
        (
            "limit",
            {"status": "reached", "windows": [{"window": HOSTILE, "used_percent": 3}], "resets_at": HOSTILE},
        ),
        ("started", {"cli_version": HOSTILE, "model": HOSTILE}),
        ("finished", {"state": HOSTILE, "reason": HOSTILE, "commit": HOSTILE}),
        ("raw", {"line": HOSTILE}),
    ],
)
def test_hostile_fields_stay_fields(run: Run, kind: str, data: dict[str, Any]) -> None:
    assert_harmless(html_of(run, kind, **data))


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "<a href='javascript:x'>y</a>",
        "<div hx-get='/logout' hx-trigger='load'></div>",
        "[x](//evil.example)",
        "<!--><script>x</script>",
        "<svg><use href='data:x'/></svg>",
        "```<script>\nx\n```",
    ],
)
def test_markdown_makes_no_link_or_tag_that_acts(text: str) -> None:
    found = Tags(markdown.render(text))
    assert found.tags <= {"p", "pre", "code"}
    assert not found.attributes


def test_links_of_the_web_open_elsewhere_and_tell_nothing() -> None:
    html = markdown.render("[docs](https://example.org/a?b=1&c=2)")
    assert 'href="https://example.org/a?b=1&amp;c=2"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'target="_blank"' in html


def test_remote_images_are_never_fetched() -> None:
    html = markdown.render("![the <plan>](https://tracker.example/pixel.png)")
    assert "<img" not in html
    assert "the &lt;plan&gt;" in html
    assert "https://tracker.example/pixel.png" in html


def test_markdown_looks_as_it_was_meant() -> None:
    html = markdown.render(
        "# Plan\n\n- one\n- **two**\n\n| a |\n|---|\n| b |\n\n```python\nx = 'é'\n```\n~~old~~"
    )
    for part in (
        "<h1>Plan</h1>",
        "<li>one</li>",
        "<strong>two</strong>",
        "<td>b</td>",
        'class="h-',
        "<s>old</s>",
    ):
        assert part in html


def test_a_tool_is_one_line_with_its_command_behind_it(run: Run) -> None:
    html = html_of(
        run, "tool", id="t1", name="Bash", title="npm test", input={"command": "npm test -- --run"}
    )
    assert html.count("<details") == 1
    assert 'data-tool="1-t1"' in html
    assert "npm test -- --run" in html


def test_a_result_names_its_tool_and_its_exit_status(run: Run) -> None:
    html = html_of(run, "tool_result", id="t1", output="boom", exit_code=2, duration_ms=61_000)
    assert 'data-result="1-t1"' in html
    assert 'data-how="exit 2 · 1:01"' in html


def test_a_diff_tells_its_lines_apart(run: Run) -> None:
    html = html_of(run, "file_change", path="a.py", change="update", diff="@@ -1 +1 @@\n-old\n+new\n+more")
    assert '<span class="plus">+2</span> <span class="minus">−1</span>' in html
    assert '<span class="del">-old' in html


def test_colours_of_a_terminal_are_left_out_and_its_tricks_are_shown(run: Run) -> None:
    html = html_of(
        run, "tool_result", id="1", output="\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07 a\u202eb\r\nnext"
    )
    assert "red \\x1b]0;title\\x07bell\\x07 a\\u202eb\nnext" in html


def test_a_long_output_is_cut_and_the_rest_is_one_click_away(run: Run) -> None:
    html = html_of(run, "tool_result", id="1", output="x" * (LONGEST * 3))
    assert len(html) < LONGEST * 1.2
    assert f'href="/tasks/{run.task_id}/events/1.2"' in html


def test_what_is_asked_is_shown_exactly(run: Run) -> None:
    html = html_of(
        run,
        "request",
        id="r1",
        request_kind="approval",
        tool="Bash",
        title="Remove the build",
        input={"command": "rm -rf build && ls"},
        cwd="/srv/x",
        reason="It is stale.",
    )
    for part in (
        "rm -rf build &amp;&amp; ls",
        "/srv/x",
        "It is stale.",
        "Wants to run a command",
        'data-request="1-r1"',
    ):
        assert part in html


@pytest.mark.parametrize("kind", ["state", "usage", "something_new"])
def test_what_only_changes_the_state_is_not_shown(run: Run, kind: str) -> None:
    assert html_of(run, kind, state="idle") == ""


@pytest.mark.parametrize("event", TALK, ids=lambda event: event["kind"])
def test_every_kind_renders(run: Run, event: dict[str, Any]) -> None:
    data = {key: value for key, value in event.items() if key != "kind"}
    assert 'class="ev ev-' in html_of(run, event["kind"], **data)


@pytest.mark.parametrize(
    "kind", ["text", "tool", "tool_result", "file_change", "request", "error", "finished", "limit"]
)
def test_an_event_without_its_fields_breaks_nothing(run: Run, kind: str) -> None:
    html_of(run, kind)


def test_the_strip_stays_the_same_while_only_time_goes_by(run: Run) -> None:
    run.change(("queued",), state="running", started_at="2026-01-01T00:00:00Z")
    run.refresh_from_db()
    assert render_head(run.task, run) == render_head(run.task, run)
    assert "data-since=" in render_head(run.task, run)


def test_a_limit_tells_its_reset_as_a_time_of_the_readers_zone(run: Run) -> None:
    windows = [{"window": "five_hour", "used_percent": 100.0}]
    html = html_of(run, "limit", status="reached", windows=windows, resets_at="2030-03-17T17:46:40.000Z")
    time = '<time datetime="2030-03-17T17:46:40+00:00" data-at>17 Mar, 17:46 UTC</time>'
    assert f"five_hour: 100 % resets {time}" in html


@pytest.mark.parametrize("words", ["<b>now</b>", "<b>2026-13-45 99:00 UTC", "at 17:46 UTC"])
def test_words_without_a_time_stay_words(words: str) -> None:
    assert with_times(words) == words.replace("<", "&lt;").replace(">", "&gt;")


SOON = 20
"Seconds, also on a busy machine; without a limit it takes for ever."
FOREVER = '"' + "\\" * 60
"""Scala that keeps Pygments busy for ever."""


@pytest.mark.django_db
def test_an_answer_with_code_that_can_not_be_coloured_in_time_is_shown_plain() -> None:
    run = make_run()
    event = make_event(run, "text", text=f"See:\n\n```scala\n{FOREVER}\n```\n\n**Done.**")
    began = time.monotonic()
    html = render_event(run, event)
    assert time.monotonic() - began < SOON
    assert "\\" * 60 in html
    assert "<strong>Done.</strong>" in html


@pytest.mark.parametrize("name", ["x.scala", "x.smithy", "x.u", "x.t"])
def test_a_file_that_can_not_be_coloured_in_time_is_shown_plain(name: str) -> None:
    began = time.monotonic()
    colours = patches.Colours(name, None, f"{FOREVER}\n")
    assert time.monotonic() - began < SOON
    assert colours.of(patches.DiffLine("+", None, 1, FOREVER)) == f"&quot;{FOREVER[1:]}"


def test_a_patch_with_impossible_numbers_has_no_hunk() -> None:
    assert patches.parse(f"@@ -{'9' * 5000} +1 @@\n+x") == []


def rendered(text: str) -> str:
    """The HTML of a Markdown text. A helper that an earlier test has kept busy is replaced in a moment."""
    wait_for(lambda: 'class="said"' not in markdown.render(text), 60, "a helper")
    return markdown.render(text)


def test_a_bare_address_is_a_link_and_one_in_code_or_in_a_link_is_not_another_one() -> None:
    html = rendered(
        "See https://example.org/a_(b). `https://no.example` [x https://in.example](https://l.example)"
    )
    assert 'href="https://example.org/a_(b)"' in html
    assert html.count("<a ") == 2
    assert ">https://example.org/a_(b)</a>." in html


@pytest.mark.parametrize(
    "text",
    [
        'https://a.example/"onclick="x',
        "https://a.example/<script>x",
        "javascript:alert(1)//https://a.example",
        "https://" + "a.example/(" * 9000,
    ],
)
def test_a_bare_address_of_any_form_leads_only_to_the_web(text: str) -> None:
    html = markdown.render(text)
    assert_harmless(html)
    links = [value for name, value in Tags(html).attributes if name == "href"]
    assert all(link.startswith("https://a.example") for link in links)


def test_items_that_are_done_or_open_have_boxes() -> None:
    html = rendered("- [ ] open\n- [x] done\n- [y] neither\n\n[ ] no item")
    assert "☐ open" in html
    assert "☑ done" in html
    assert "[y] neither" in html
    assert "<p>[ ] no item</p>" in html


def test_a_thought_is_markdown_and_its_title_has_no_asterisks() -> None:
    rendered("Hello")
    event = make_event(make_run(), "thinking", text="**Read the code**\n\nIt has `two` parts.")
    html = render_event(event.run, event)
    assert "**" not in html
    assert "<code>two</code>" in html


@pytest.mark.parametrize(
    ("session", "words"), [("s1", "Continue this conversation"), ("", "Start another run with this prompt")]
)
def test_a_message_continues_only_a_conversation_that_there_is(session: str, words: str) -> None:
    run = make_run(state="failed", cli_session=session)
    assert render_talk(run.task, run)["over"] == words
