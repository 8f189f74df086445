"""A program of its own that reads a picture: `python -m tasks.attachments.decode FILE FOLDER`.

A picture from outside is hostile until it is decoded, and decoding takes memory; so this process has limits,
and imports nothing of Django. It writes our own copies of the picture, `view` and `thumbnail`, into the
folder, and prints one JSON object: facts about it, or `{"error": …}` with a sentence.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import re
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO
from xml.parsers import expat

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
TYPES = {"MPO": "image/jpeg"} | {name: f"image/{name.lower()}" for name in FORMATS}
MAX_PIXELS = 50_000_000
MAX_MEMORY, MAX_SECONDS, MAX_WRITTEN = 1 << 30, 20, 64 << 20
VIEW, THUMBNAIL = 2000, 400
"""Pixels of the longer side of our copies."""
MAX_COPY = 1_500_000
"""Bytes of the larger copy, and of a picture that agents get as it is: it may be sent with every request."""
FOR_AGENTS = ("PNG", "JPEG", "WEBP")
PLAIN_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
ORIENTATION = 0x0112
PAGE = re.compile(rb"<script|<html|<!doctype html|<svg[\s>]|<\?php|<iframe|<body|javascript:", re.IGNORECASE)
HIDDEN = (
    (b"%PDF-", "a PDF"),
    (b"Rar!\x1a\x07", "an archive"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
)
ACTIVE = {"script", "foreignobject", "iframe", "object", "embed", "handler", "audio", "video"}
HARMLESS = re.compile(r"(#|data:image/(png|jpeg|gif|webp)[;,])", re.IGNORECASE)
OUTSIDE = re.compile(
    r"@import|image-set\(|\bsrc\(|url\(\s*['\"]?\s*(?!['\"]?\s*#)(?!data:image/(?:png|jpeg|gif|webp))",
    re.IGNORECASE,
)
ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?|\\(.)", re.IGNORECASE | re.DOTALL)
"""Of a character in CSS."""
DOCTYPES = "http://www.w3.org/"
"""Drawing programs name the document type of SVG there; no reader fetches it."""


class Unfit(Exception):
    """The picture is refused, for this reason."""


def picture(source: Path, target: Path) -> dict[str, Any]:
    """Write our copies, and return facts about the picture. Raises Unfit."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    if words := hidden_in(source):
        raise Unfit(f"It is a picture and {words} in one file, which is a way to hide something.")
    try:
        with Image.open(source, formats=FORMATS) as image:
            return _copied(image, source.stat().st_size, target)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unfit(_TOO_LARGE) from error
    except MemoryError as error:
        raise Unfit("It needs too much memory.") from error
    except UnidentifiedImageError as error:
        raise Unfit("Its content is not a picture, or is damaged.") from error
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Unfit(
            "There is no room for it on the disk." if is_full else "The picture is damaged."
        ) from error
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise Unfit("The picture is damaged.") from error


_TOO_LARGE = f"It has more than {MAX_PIXELS // 1_000_000} million pixels."


def _copied(image: Image.Image, size: int, target: Path) -> dict[str, Any]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unfit(_TOO_LARGE)
    name, mode = str(image.format), image.mode
    moves = bool(getattr(image, "is_animated", False)) and name != "MPO"
    turned = image.getexif().get(ORIENTATION, 1)
    if name in ("JPEG", "MPO"):
        image.draft(None, (VIEW, VIEW))  # decodes a large one at a fraction of its size
    image.load()
    upright = _plain(ImageOps.exif_transpose(image))
    if turned in (5, 6, 7, 8):
        width, height = height, width
    fits = name in FOR_AGENTS and mode in PLAIN_MODES and turned in (0, 1) and not moves
    return {
        "content_type": TYPES[name],
        "width": width,
        "height": height,
        "fits_agents": fits and max(width, height) <= VIEW and size <= MAX_COPY,
        "view_type": _save(upright, VIEW, target / "view", lossless=name not in ("JPEG", "MPO")),
        "thumbnail_type": _save(upright, THUMBNAIL, target / "thumbnail", lossless=upright.mode == "RGBA"),
    }


def _plain(image: Image.Image) -> Image.Image:
    """Return the picture as L, RGB or RGBA, without what else the file says."""
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in ("LA", "PA", "La", "RGBa") or (image.mode == "RGB" and "transparency" in image.info):
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    image.info = {}
    return image


def _save(image: Image.Image, longest: int, path: Path, *, lossless: bool) -> str:
    """Write a copy that is no larger, and return its type: PNG, unless the file would become too large."""
    copy = image.copy()
    copy.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    if lossless:
        copy.save(path, "PNG")
        if path.stat().st_size <= MAX_COPY:
            return "image/png"
    if copy.mode == "RGBA":
        paper = Image.new("RGB", copy.size, "white")
        paper.paste(copy, mask=copy.getchannel("A"))
        copy = paper
    for quality in (88, 75, 60, 40):
        copy.save(path, "JPEG", quality=quality)
        if path.stat().st_size <= MAX_COPY:
            break
    return "image/jpeg"


def hidden_in(source: Path) -> str:
    """Return what else the file is, in words; empty if it is only a picture."""
    if zipfile.is_zipfile(source):
        return "an archive"
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if PAGE.search(content):
            return "a web page"
        if content[:32].find(b"/*") >= 0 and content.find(b"*/") >= 0:
            return "a script"
        return next((words for mark, words in HIDDEN if content.find(mark) >= 0), "")


def vector(source: Path) -> dict[str, Any]:
    """Check a vector graphic. Raises Unfit if it is damaged, or is more than a drawing."""
    parser = expat.ParserCreate(namespace_separator=" ")
    styles: list[str] = []
    in_style = [0]

    def started(name: str, attributes: dict[str, str]) -> None:
        element = name.rpartition(" ")[2].lower()
        if element in ACTIVE:
            raise Unfit("The SVG has scripts or other active content.")
        in_style[0] += element == "style"
        for each, value in attributes.items():
            _check_attribute(each.rpartition(" ")[2].lower(), value)

    def ended(name: str) -> None:
        in_style[0] -= name.rpartition(" ")[2].lower() == "style"

    def text(data: str) -> None:
        if in_style[0]:
            styles.append(data)

    def declared(*_: object) -> None:
        raise Unfit("The SVG declares entities.")

    def typed(_name: str, system: str | None, *_: object) -> None:
        if system and not system.startswith(DOCTYPES):
            raise Unfit("The SVG refers to something outside of it.")

    def instruction(target: str, _data: str) -> None:
        if target.lower() == "xml-stylesheet":
            raise Unfit("The SVG refers to something outside of it.")

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, declared
    parser.ProcessingInstructionHandler, parser.StartDoctypeDeclHandler = instruction, typed
    try:
        with source.open("rb") as file:
            _feed(parser, file)
    except (expat.ExpatError, ValueError) as error:
        raise Unfit("The SVG is damaged.") from error
    if _leads_outside("".join(styles)):
        raise Unfit("The SVG refers to something outside of it.")
    return {}


def _feed(parser: expat.XMLParserType, file: BinaryIO) -> None:
    while data := file.read(64 << 10):
        parser.Parse(data, False)
    parser.Parse(b"", True)


def _check_attribute(name: str, value: str) -> None:
    plain = re.sub(r"[\x00-\x20]+", "", value).lower()
    if (
        name.startswith("on")
        or "javascript:" in plain
        or (name == "attributename" and plain.endswith("href"))
    ):
        raise Unfit("The SVG has scripts or other active content.")
    if name in ("href", "src") and plain and not HARMLESS.match(plain):
        raise Unfit("The SVG refers to something outside of it.")
    if _leads_outside(value):
        raise Unfit("The SVG refers to something outside of it.")


def _leads_outside(style: str) -> bool:
    """Whether CSS, or the value of an attribute, names something that a reader would fetch."""
    return bool(OUTSIDE.search(style) or OUTSIDE.search(ESCAPE.sub(_unescaped, style)))


def _unescaped(found: re.Match[str]) -> str:
    number = int(found[1], 16) if found[1] else 0
    return found[2] or (chr(number) if number <= sys.maxunicode else "")


def limit() -> None:
    """Let this process use only so much, where the system can do that."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CPU, MAX_SECONDS),
        (resource.RLIMIT_FSIZE, MAX_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def main(source: str, target: str) -> None:
    limit()
    try:
        found = picture(Path(source), Path(target)) if target else vector(Path(source))
    except Unfit as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
