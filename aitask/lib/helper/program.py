"""What a helper process runs: jobs, one a line, until its input ends. Answers are lines, too.

Imports neither Django nor the rest of the project, so that it starts quickly. A job is a list of the seconds
of processor time that it may take, the name of an operation, and texts. An answer is any number of
["set", value] and ["add", list], which may be parts of the result, and then ["end"].
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLink
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

MEMORY = 1 << 30
"""Bytes of address space."""
PART_SECONDS = 0.05
"""How often coloured lines are passed on, in case that the rest takes too long."""
BLOCKS = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
INLINE = {"a", "br", "code", "em", "s", "span", "strong"}
TABLE = {"table", "tbody", "td", "th", "thead", "tr"}
ATTRIBUTES = {"a": {"href", "title"}, "span": {"class"}, "ol": {"start"}}
LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
ADDRESS = re.compile(r"(?<![\w/.@])https?://[^\s<>\"'`|\\^{}\[\]]{1,2000}", re.IGNORECASE)
"An address in the text."
BOXES = {"[ ] ": "☐", "[x] ": "☑"}
MAX_TO_COLOUR = 20_000
"Code blocks with more characters are not coloured, because it would take too long."

formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix="h-")
"Marks code with the classes that `code.css` colours."


def markdown(text: str) -> None:
    """Set safe HTML of a Markdown text: without colours, and then with them if it has code."""
    tokens = _parser.parse(text)
    say("set", _clean(_plain_parser.renderer.render(tokens, _plain_parser.options, {})))
    if any(token.type == "fence" and token.info for token in tokens):
        say("set", _clean(_parser.renderer.render(tokens, _parser.options, {})))


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=BLOCKS | INLINE | TABLE,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _colour(code: str, language: str, _attributes: str = "") -> str:
    """Return code with CSS classes for its colours; plain if the language is unknown."""
    if not language or len(code) > MAX_TO_COLOUR:
        return escape(code)
    try:
        return highlight(code, get_lexer_by_name(language, stripnl=False), formatter)
    except ClassNotFound:
        return escape(code)


def _image_as_text(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Show an image as text and URL: loading it would tell its server who reads what."""
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    return f'<span class="no-image">[image: {escape(token.content)} {escape(source)}]</span>'


def _show_boxes(state: StateCore) -> None:
    """Show `[ ]` and `[x]` at the start of a list item as boxes."""
    for item, _, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        first = inline.children[0] if item.type == "list_item_open" and inline.children else None
        if first and first.type == "text" and (box := BOXES.get(first.content[:4].lower())):
            first.content = f"{box} {first.content[4:]}"


def _link_bare_addresses(state: StateCore) -> None:
    """Make links of addresses that stand in the text, outside of links and code."""
    for token in state.tokens:
        if token.type == "inline" and "://" in token.content:
            depth = 0
            children: list[Token] = []
            for child in token.children or []:
                depth += child.nesting if child.type in ("link_open", "link_close") else 0
                is_plain = child.type == "text" and depth == 0
                children += _with_links(child) if is_plain else [child]
            token.children = children


def _with_links(token: Token) -> Iterator[Token]:
    """Yield a text token, or in its place texts and links."""
    at = 0
    for found in ADDRESS.finditer(token.content):
        address = found[0].rstrip(".,;:!?*_~")
        if address.endswith(")") and address.count("(") < address.count(")"):
            address = address[:-1]
        yield Token("text", "", 0, content=token.content[at : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": normalizeLink(address)})
        yield Token("text", "", 0, content=address)
        yield Token("link_close", "a", -1)
        at = found.start() + len(address)
    yield Token("text", "", 0, content=token.content[at:])


def _made_parser(colour: Callable[[str, str, str], str] | None) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "highlight": colour}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: bool(LINK.match(url))  # type: ignore[method-assign]
    parser.add_render_rule("image", _image_as_text)
    parser.core.ruler.push("boxes", _show_boxes)
    parser.core.ruler.push("bare_links", _link_bare_addresses)
    return parser


_parser, _plain_parser = _made_parser(_colour), _made_parser(None)


def coloured_lines(text: str, name: str) -> None:
    """Add the lines of a file as HTML with Pygments' classes; nothing if its kind is unknown."""
    lexer = lexer_for(name)
    if not isinstance(lexer, TextLexer):
        sink = _Lines()
        highlight(text, lexer, formatter, sink)
        sink.send()


class _Lines(io.StringIO):
    """Passes on what a formatter writes line by line, after some time: the rest may take for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._since = time.monotonic()

    def write(self, text: str) -> int:
        self._lines.append(text.removesuffix("\n"))
        if time.monotonic() - self._since > PART_SECONDS:
            self.send()
        return len(text)

    def send(self) -> None:
        self._since = time.monotonic()
        lines, self._lines = self._lines, []
        say("add", lines)


@lru_cache(maxsize=200)
def lexer_for(name: str) -> Lexer:
    """Return the lexer for a file name. Guessing from the content would be slow and often wrong."""
    try:
        found: Lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=True)
    except (ClassNotFound, ValueError):
        found = TextLexer(stripnl=False, ensurenl=True)
    return found


def difference(old: str, new: str) -> None:
    """Set all lines of both texts as a comparison: [sign, line], with the sign of a diff."""
    before, after = old.split("\n"), new.split("\n")
    rows: list[list[str]] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            rows += [[" ", line] for line in before[i:j]]
        else:
            rows += [["-", line] for line in before[i:j]] + [["+", line] for line in after[k:m]]
    say("set", rows)


OPERATIONS: dict[str, Callable[..., None]] = {
    "markdown": markdown,
    "coloured_lines": coloured_lines,
    "difference": difference,
}


def say(*answer: Any) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def work(seconds: float, operation: str, *arguments: str) -> None:
    """Do a job. The kernel ends this process after so many seconds of processor time."""
    limit(seconds)
    with contextlib.suppress(Exception):  # then there is no answer, or a part of one
        OPERATIONS[operation](*arguments)
    limit(0)
    say("end")


def limit(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def bound() -> None:
    """Limit memory, and ignore Ctrl-C of the terminal: the end of the input ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    bound()
    highlight("pass", lexer_for("warm.py"), formatter)
    os.chdir(os.path.sep)
    say("ready")
    for line in sys.stdin.buffer:
        work(*json.loads(line))


if __name__ == "__main__":
    main()
