"""Markdown of agents as safe HTML: no raw HTML, no scripts, no remote images."""

from __future__ import annotations

import re
from collections.abc import Sequence

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

BLOCKS = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
INLINE = {"a", "br", "code", "em", "s", "span", "strong"}
TABLE = {"table", "tbody", "td", "th", "thead", "tr"}
ATTRIBUTES = {"a": {"href", "title"}, "span": {"class"}, "ol": {"start"}}
LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
MAX_TO_COLOUR = 20_000
"Code blocks with more characters are not coloured, because it would take too long."


def render(text: str) -> SafeString:
    """Return safe HTML of a Markdown text."""
    clean = nh3.clean(
        _parser.render(text),
        tags=BLOCKS | INLINE | TABLE,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return mark_safe(clean)  # noqa: S308 - cleaned by nh3 one line above


def colour(code: str, language: str, _attributes: str = "") -> str:
    """Return code with CSS classes for its colours; plain if the language is unknown."""
    if not language or len(code) > MAX_TO_COLOUR:
        return escape(code)
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escape(code)
    return highlight(code, lexer, formatter)


def _image_as_text(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType
) -> str:
    """Show an image as text and URL: loading it would tell its server who reads what."""
    token = tokens[index]
    return (
        f'<span class="no-image">[image: {escape(token.content)} {escape(token.attrGet("src") or "")}]</span>'
    )


formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix="h-")
"Marks code with the classes that `code.css` colours."
_parser = MarkdownIt("commonmark", {"html": False, "highlight": colour}).enable(["table", "strikethrough"])
_parser.validateLink = lambda url: bool(LINK.match(url))  # type: ignore[method-assign]
_parser.add_render_rule("image", _image_as_text)
