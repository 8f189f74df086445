"""Split: each point of a text becomes a task, and no line of the text is lost."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitask.lib.errors import Refused
from tasks.planning.order import circle_in
from tasks.planning.separators import SplitBy
from tasks.planning.split import Nested, split
from tasks.planning.titles import LONGEST_TITLE

DOCUMENT = """\
# Checkout: from cart to receipt

Every change keeps the old API working. Tests run with `just test`.

## 1. Prices in minor units

Store money as integers.

- migrate `orders.total`
- round half to even

## 2. A currency per shop (after 1)

```yaml
## not a heading
- not a point
```

## 3. Show the currency on the receipt

After: 2

---

## 4. Emails
"""


def titles(text: str, **options: Any) -> list[str]:
    return [point.title for point in split(text, **options).points]


def after(text: str, **options: Any) -> list[list[int]]:
    return [point.after for point in split(text, **options).points]


@pytest.mark.parametrize(
    "text",
    [
        "- Fix A\n- Fix B\n- Fix C",
        "* Fix A\n* Fix B\n* Fix C",
        "+ Fix A\n\n+ Fix B\n\n+ Fix C",
        "1. Fix A\n2. Fix B\n3. Fix C",
        "1) Fix A\n2) Fix B\n3) Fix C",
        "- [ ] Fix A\n- [ ] Fix B\n- [ ] Fix C",
        "• Fix A\n• Fix B\n• Fix C",
        "•\tFix A\n•\tFix B\n•\tFix C",
        "☐ Fix A\n☐ Fix B\n☐ Fix C",
        "- Fix A\r\n- Fix B\r\n- Fix C\r\n",
        "- Fix A\r- Fix B\r- Fix C",
        "\ufeff- Fix A\n- Fix B\n- Fix C",
        "-\tFix A\n-\tFix B\n-\tFix C",
        "    - Fix A\n    - Fix B\n    - Fix C",
        "\t- Fix A\n\t- Fix B\n\t- Fix C",
        "## Fix A\n## Fix B\n## Fix C",
        "# Plan\n\n### Fix A\n\nbody\n\n### Fix B\n\n### Fix C ###",
        "Fix A\n=====\nx\n\nFix B\n=====\n\nFix C\n=====\n",
        "Fix A\n---\nx\n\nFix B\n---\ny\n\nFix C\n---\nz",
        "Fix A\n---\nFix B\n---\nFix C",
        "Fix A\n\n---\n\nFix B\n\n---   \n\nFix C",
        "- **Fix A**\n- __Fix B__\n- *Fix C*",
    ],
)
def test_each_way_to_write_a_list_gives_its_points(text: str) -> None:
    assert titles(text) == ["Fix A", "Fix B", "Fix C"]


def test_done_points_are_left_out_and_told() -> None:
    found = split("- [x] Old\n- [ ] New\n- [X] Older\n  with more\n- Plain")
    assert [point.title for point in found.points] == ["New", "Plain"]
    assert found.done == ["Old", "Older\nwith more"]


def test_an_open_box_below_a_done_point_is_still_to_do() -> None:
    found = split("- [x] Login\n  - [x] form\n  - [ ] rate limit\n    per address\n- [ ] Logout")
    assert [point.prompt for point in found.points] == ["rate limit\nper address", "Logout"]
    assert "form" in found.done[0]


def test_nested_points_stay_in_the_prompt_of_their_parent() -> None:
    text = "1. Parent\n   - first\n     - deep\n   - [x] done\n   - second\n2. Other"
    found = split(text)
    assert [point.prompt for point in found.points] == ["Parent\n- first\n  - deep\n- second", "Other"]
    assert found.done == ["done"]
    assert found.has_nested


def test_nested_points_become_tasks_after_their_parent() -> None:
    found = split("1. Parent\n   - first\n     - deep\n   - second\n2. Other", nested=Nested.TASKS)
    assert [point.title for point in found.points] == ["Parent", "first", "deep", "second", "Other"]
    assert [point.after for point in found.points] == [[], [0], [1], [0], []]


def test_bullets_below_a_number_that_are_indented_too_little_are_nested_in_it() -> None:
    assert titles("1. One\n  - detail\n2. Two\n  - detail") == ["One", "Two"]


def test_headings_below_a_point_are_nested_in_it() -> None:
    text = "# Plan\n## One\na\n### Part\nb\n## Two\nc"
    assert titles(text) == ["One", "Two"]
    assert titles(text, nested=Nested.TASKS) == ["One", "Part", "Two"]
    assert after(text, nested=Nested.TASKS) == [[], [0], []]


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_code_is_never_split(fence: str) -> None:
    code = f"{fence}sh\n- no point\n# no heading\n---\n1. no number\n{fence}"
    found = split(f"## One\n{code}\n## Two\n- x")
    assert [point.title for point in found.points] == ["One", "Two"]
    assert code in found.points[0].prompt


def test_code_in_a_point_of_a_list_stays_whole_without_its_indentation() -> None:
    found = split("- One\n\n  ```\n  - a\n\n    - b\n  ```\n- Two")
    assert found.points[0].prompt == "One\n\n```\n- a\n\n  - b\n```"


def test_paragraphs_below_a_point_belong_to_it() -> None:
    found = split("1. One\n\n   Indented.\n\n2. Two\n\nNot indented.\n\n3. Three")
    assert [p.prompt for p in found.points] == ["One\n\nIndented.", "Two\n\nNot indented.", "Three"]


def test_text_before_the_first_point_can_be_shared() -> None:
    text = "Keep the API.\n\n- One\n- Two"
    left = split(text)
    assert (left.context, left.points[0].prompt) == (["Keep the API."], "One")
    shared = split(text, share_context=True)
    assert shared.context == []
    assert [point.prompt for point in shared.points] == [
        f"{name}\n\nContext:\n\nKeep the API." for name in ("One", "Two")
    ]


def test_a_point_of_a_list_shares_only_the_headings_above_it() -> None:
    text = "# Plan\n## Backend\n- [ ] One\n## Frontend\nUse CSS.\n- [ ] Two"
    one, two = split(text, share_context=True).points
    assert "# Plan" in one.prompt
    assert "## Backend" in one.prompt
    assert "Use CSS." not in one.prompt
    assert "Use CSS." in two.prompt


def test_a_document_becomes_tasks_with_the_order_that_it_names() -> None:
    found = split(DOCUMENT)
    assert [point.title for point in found.points] == [
        "1. Prices in minor units",
        "2. A currency per shop",
        "3. Show the currency on the receipt",
        "4. Emails",
    ]
    assert [point.after for point in found.points] == [[], [0], [1], []]
    assert "round half to even" in found.points[0].prompt


@pytest.mark.parametrize(
    "words",
    ["(after 1)", "[after #1]", "(depends on task 1)", "(needs 1, 1)", "\n  After: 1", "\n  - depends on 1."],
)
def test_words_about_the_order_are_understood(words: str) -> None:
    assert after(f"- One\n- Two {words}\n- Three") == [[], [0], []]


@pytest.mark.parametrize(
    "words", ["(after 9)", "(after 2)", "after 1 hour", "`x`\n  ```\n  (after 1)\n  ```"]
)
def test_other_words_order_nothing(words: str) -> None:
    assert after(f"- One\n- Two {words}\n- Three") == [[], [], []]


def test_an_order_in_a_circle_is_not_taken_over() -> None:
    text = "1. One (after 3)\n2. Two (after 1)\n3. Three (after 2)"
    assert circle_in(after(text)) == []


def test_numbers_count_points_that_are_done_too() -> None:
    assert after("- [x] Zero\n- [ ] One\n- [ ] Two (after 1, 2)") == [[], [0]]


def test_several_points_can_be_named() -> None:
    assert after("1. A\n2. B\n3. C (after 1 and 2)\n4. D (after 1, 2 and 3)") == [[], [], [0, 1], [0, 1, 2]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The text is empty."),
        (" \r\n\t\n", "The text is empty."),
        ("Just some words.\nIn two lines.", "can't be split"),
        ("- [x] A\n- [x] B", "All 2 points are ticked as done."),
        ("- x\n" * 1000, "These are 1,000 points. At most 200"),
        ("x" * 1_500_001, "At most 1,500,000"),
    ],
)
def test_what_can_not_be_split_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        split(text)
    assert words in str(refused.value)
    assert refused.value.hint


def test_a_text_of_a_megabyte_is_split() -> None:
    section = "## Point {}\n\n" + "Some words of it.\n" * 380
    found = split("\n".join(section.format(number) for number in range(150)))
    assert len(found.points) == 150


def test_what_separates_the_points_can_be_chosen() -> None:
    text = "## One\n- a\n- b\n## Two\n- c"
    assert titles(text) == ["One", "Two"]
    assert titles(text, by=SplitBy.POINTS) == ["a", "b", "c"]


def test_long_first_lines_are_cut_in_the_title_only() -> None:
    sentence = "Users can reset their password. " + "It goes on and on. " * 20
    point = split(f"- {sentence}\n- Two").points[0]
    assert point.title == "Users can reset their password"
    assert point.prompt == sentence.strip()
    endless = split(f"- {'word ' * 80}\n- Two").points[0].title
    assert len(endless) <= LONGEST_TITLE
    assert endless.endswith("…")


def test_a_title_is_one_line_without_control_characters() -> None:
    assert titles("- \x1b[31mRed\x07\n- Two")[0] == "[31mRed"


LINES = st.sampled_from(
    [
        *(
            "- a",
            "* b",
            "  - c",
            "    - d",
            "1. e",
            "2) f",
            "- [x] g",
            "  - [ ] h",
            "- [ ] i",
            "- - j",
            "- 1. k",
        ),
        *(
            "# L",
            "## M",
            "### N",
            "####### o",
            "P\n===",
            "Q\n---",
            "---",
            "***",
            "```",
            "~~~",
            "> - r",
            "|s|t|",
        ),
        *(
            "",
            "",
            "u v",
            "   w",
            "\tx",
            "**y:**",
            "z:",
            "• aa",
            "☑ bb",
            "☐ cc",
            "<div>",
            "[dd]: ee",
            "(after 1)",
        ),
        *("-", "1.", "#", "- [ ]", "- [x]", "    code", "- \t- ff", "1. gg\n   ```\n   - hh\n   ```"),
    ]
)
MARKS = re.compile(r"[\s#>*+•☐☑✓|.)(\[\]:=_`~-]+|(?<![a-z])[\dx](?![a-z])", re.IGNORECASE)


@settings(max_examples=400, deadline=None)
@given(
    lines=st.lists(LINES, max_size=14),
    by=st.sampled_from(SplitBy),
    nested=st.sampled_from(Nested),
    share=st.booleans(),
)
def test_no_word_of_a_text_is_lost(lines: list[str], by: SplitBy, nested: Nested, share: bool) -> None:
    text = "\n".join(lines)
    try:
        found = split(text, by=by, nested=nested, share_context=share)
    except Refused:
        return
    kept = "\n".join([*(f"{p.title}\n{p.prompt}" for p in found.points), *found.done, *found.context])
    words = [word for word in MARKS.sub(" ", text).split() if word]
    assert [word for word in words if word not in kept] == []
    assert all(point.title.strip() for point in found.points)
    assert circle_in([point.after for point in found.points]) == []


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200), nested=st.sampled_from(Nested))
def test_any_text_is_split_or_refused(text: str, nested: Nested) -> None:
    with suppress(Refused):
        assert split(text, nested=nested).points
