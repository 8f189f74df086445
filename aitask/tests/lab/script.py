"""The directives in a prompt: what the scripted model answers, step by step.

The language is described in `aitask.tests.lab.endpoint`. Parsing has no state: the same prompt gives the same
steps, and the conversation determines which of them is due.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

DIRECTIVE = re.compile(r"^@(?P<name>[a-z]+)(?:[ \t]+(?P<rest>.*?))?\s*$")
DEFAULT_ANSWER = "Done."
GATE_SECONDS = 0.1


class ScriptError(ValueError):
    """An invalid directive; the endpoint answers 400 with this message."""


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Think:
    text: str


@dataclass(frozen=True)
class Stream:
    """Numbered lines of text, `pause` seconds apart."""

    lines: int
    pause: float


@dataclass(frozen=True)
class Words:
    """The words "w1 w2 …", `pause` seconds apart; as thinking if `thinks`.

    The last one comes when the file `gate` exists, if there is one.
    """

    count: int
    pause: float
    thinks: bool
    gate: str = ""

    def each(self) -> Iterator[str]:
        return (f"w{number} " for number in range(1, self.count + 1))

    def in_time(self) -> Iterator[str | float]:
        """Yield the words, and the pauses between them."""
        for number, word in enumerate(self.each(), 1):
            while number == self.count and self.gate and not Path(self.gate).exists():
                yield GATE_SECONDS
            yield word
            yield self.pause

    @property
    def text(self) -> str:
        return "".join(self.each())


@dataclass(frozen=True)
class Bash:
    command: str


@dataclass(frozen=True)
class Write:
    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Read:
    path: str


@dataclass(frozen=True)
class Ask:
    question: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    text: str


@dataclass(frozen=True)
class Tool:
    """A call of any tool by its name; `arguments` is JSON text."""

    name: str
    arguments: str


Speech = Say | Think | Stream | Words
Call = Bash | Write | Edit | Read | Ask | Plan | Tool
Block = Speech | Call


@dataclass(frozen=True)
class Fault:
    """A failure instead of a response. `times` counts per conversation and step; None means always."""

    kind: Literal["error", "limit", "login", "cut"]
    times: int | None
    status: int = 0
    minutes: float = 60


@dataclass(frozen=True)
class Step:
    """One response of the model."""

    blocks: tuple[Block, ...] = ()
    delay: float = 0
    headers: tuple[tuple[str, str], ...] = ()
    faults: tuple[Fault, ...] = ()
    quota: float | None = None

    @property
    def calls_tools(self) -> bool:
        return any(isinstance(block, Call) for block in self.blocks)

    @property
    def is_empty(self) -> bool:
        return self == Step()


LAST = Step(blocks=(Say(DEFAULT_ANSWER),))


@dataclass
class _Builder:
    done: list[Step] = field(default_factory=list)
    open: Step = field(default_factory=Step)

    def add(self, block: Block, *, joined: bool) -> None:
        """Add a block. A tool call completes the step, unless `@and` joins the next one to it."""
        if joined:
            self._reopen()
        self.open = replace(self.open, blocks=(*self.open.blocks, block))
        if self.open.calls_tools:
            self.close()

    def _reopen(self) -> None:
        if not self.open.is_empty or not self.done:
            raise ScriptError("@and must directly follow a tool directive")
        self.open = self.done.pop()

    def close(self) -> None:
        if not self.open.is_empty:
            self.done.append(self.open)
            self.open = Step()


def has_directives(text: str) -> bool:
    return any(DIRECTIVE.match(line) for line in text.splitlines())


def parse(text: str) -> list[Step]:
    """Parse the directives of a text into steps. Raises ScriptError for an unknown directive."""
    builder = _Builder()
    for line in text.splitlines():
        if match := DIRECTIVE.match(line):
            _directive(builder, match["name"], match["rest"] or "")
    builder.close()
    return builder.done


def step_at(steps: list[Step], number: int) -> Step:
    """Return the step with this number, counted from 0; after the last one a short final answer."""
    step = steps[number] if number < len(steps) else LAST
    return step if step.blocks else replace(step, blocks=LAST.blocks)


def _directive(builder: _Builder, name: str, rest: str) -> None:
    joined = name == "and"
    if joined:
        name, _, rest = rest.lstrip("@").partition(" ")
    try:
        if name in MODIFIERS:
            builder.open = MODIFIERS[name](builder.open, rest)
        elif name == "steps":
            _steps(builder, rest)
        else:
            builder.add(BLOCKS[name](rest), joined=joined)
    except KeyError:
        raise ScriptError(f"unknown directive @{name}") from None
    except (ValueError, IndexError) as error:
        raise ScriptError(f"@{name} {rest}: {error}") from error


def _steps(builder: _Builder, rest: str) -> None:
    count, pause = rest.split()
    for number in range(1, int(count) + 1):
        builder.add(Say(f"step {number}"), joined=False)
        builder.add(Bash(f"sleep {float(pause)}; echo step {number}"), joined=False)


def _unescape(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "\\": "\\"}
    return re.sub(r"\\([nt\\])", lambda match: escapes[match[1]], text)


def _first_word(rest: str) -> tuple[str, str]:
    """Split a path, which is quoted if it has spaces, from the text after it."""
    match = re.match(r"""("[^"]*"|'[^']*'|\S+)[ \t]?(.*)""", rest)
    if not match:
        raise ValueError("a path is missing")
    word = match[1]
    return (word[1:-1] if word[0] in "\"'" else word), match[2]


def _write(rest: str) -> Write:
    path, content = _first_word(rest)
    return Write(path, _unescape(content) + "\n")


def _edit(rest: str) -> Edit:
    path, old, new = shlex.split(rest)
    return Edit(path, _unescape(old), _unescape(new))


def _stream(rest: str) -> Stream:
    lines, pause = rest.split()
    return Stream(int(lines), float(pause))


def _words(rest: str, *, thinks: bool = False) -> Words:
    count, pause, *gate = rest.split()
    return Words(int(count), float(pause), thinks, *gate)


def _lines(rest: str) -> Bash:
    count, pause = rest.split()
    return Bash(f"for i in $(seq 1 {int(count)}); do echo line $i; sleep {float(pause)}; done")


def _ask(rest: str) -> Ask:
    question, *options = (part.strip() for part in rest.split("|"))
    return Ask(question or "Which one?", tuple(options) or ("Yes", "No"))


def _tool(rest: str) -> Tool:
    name, _, arguments = rest.partition(" ")
    return Tool(name, arguments or "{}")


BLOCKS: dict[str, Callable[[str], Block]] = {
    "text": lambda rest: Say(_unescape(rest)),
    "think": lambda rest: Think(_unescape(rest)),
    "stream": _stream,
    "words": _words,
    "muse": lambda rest: _words(rest, thinks=True),
    "bash": Bash,
    "lines": _lines,
    "write": _write,
    "edit": _edit,
    "read": lambda rest: Read(_first_word(rest)[0]),
    "ask": _ask,
    "plan": lambda rest: Plan(_unescape(rest)),
    "tool": _tool,
}


def _fault(step: Step, fault: Fault) -> Step:
    return replace(step, faults=(*step.faults, fault))


def _times(words: list[str], default: int | None) -> int | None:
    return int(words[0]) if words else default


def _error(step: Step, rest: str) -> Step:
    status, *times = rest.split()
    return _fault(step, Fault("error", _times(times, None), status=int(status)))


def _limit(step: Step, rest: str) -> Step:
    return _fault(step, Fault("limit", None, status=429, minutes=float(rest or 60)))


def _header_pairs(rest: str) -> Iterator[tuple[str, str]]:
    for pair in rest.split(";"):
        name, _, value = pair.partition(":")
        yield name.strip(), value.strip()


MODIFIERS: dict[str, Callable[[Step, str], Step]] = {
    "delay": lambda step, rest: replace(step, delay=step.delay + float(rest)),
    "headers": lambda step, rest: replace(step, headers=(*step.headers, *_header_pairs(rest))),
    "quota": lambda step, rest: replace(step, quota=float(rest)),
    "error": _error,
    "limit": _limit,
    "login": lambda step, rest: _fault(step, Fault("login", _times(rest.split(), None), status=401)),
    "cut": lambda step, rest: _fault(step, Fault("cut", _times(rest.split(), 1))),
}
