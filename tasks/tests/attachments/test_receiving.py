"""What an uploaded file is, is decided by its content; hostile and damaged pictures are refused in words."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import pytest
from PIL import Image
from pytest_django.fixtures import Settings

from aitask.lib.errors import Refused
from tasks.attachments import kinds, queries, store
from tasks.models import Attachment
from tasks.tests.attachments import samples
from tasks.tests.attachments.samples import PDF, SVG, picture, svg, upload
from tasks.tests.factories import make_user

pytestmark = pytest.mark.django_db
W3C = b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'


def content(sha256: str) -> bytes:
    return b"".join(store.read(sha256))


@pytest.mark.parametrize(
    ("data", "content_type", "fits"),
    [
        (picture(), "image/png", True),
        (picture("PNG", (1, 1)), "image/png", True),
        (picture("PNG", mode="P"), "image/png", True),
        (picture("PNG", mode="1"), "image/png", True),
        (picture("PNG", mode="LA"), "image/png", True),
        (picture("JPEG"), "image/jpeg", True),
        (picture("WEBP"), "image/webp", True),
        (samples.deep(), "image/png", False),
        (picture("JPEG", mode="CMYK"), "image/jpeg", False),
        (samples.turned(6), "image/jpeg", False),
        (picture("BMP"), "image/bmp", False),
        (picture("GIF"), "image/gif", False),
        (samples.animated(), "image/gif", False),
        (samples.animated("WEBP"), "image/webp", False),
        (picture("PNG", (2400, 30)), "image/png", False),
    ],
)
def test_pictures_of_all_sorts_are_read_and_agents_get_what_they_can_take(
    data: bytes, content_type: str, fits: bool
) -> None:
    row = upload("shot", data, make_user())
    assert (row.kind, row.content_type, row.size) == ("picture", content_type, len(data))
    assert row.sha256 == hashlib.sha256(data).hexdigest()
    chunks, size, sha256, given = queries.for_agent(row)
    body = b"".join(chunks)
    assert (len(body), hashlib.sha256(body).hexdigest()) == (size, sha256)
    assert (body == data) is fits
    shown = Image.open(io.BytesIO(body))
    assert given == f"image/{str(shown.format).lower()}"
    assert max(shown.size) <= 2000
    with Image.open(io.BytesIO(content(row.thumbnail_sha256))) as small:
        assert max(small.size) <= 400


def test_a_turned_photo_is_shown_upright() -> None:
    row = upload("photo.jpg", samples.turned(6), make_user())
    assert (row.width, row.height) == (30, 40)
    with Image.open(io.BytesIO(content(row.view_sha256))) as view:
        assert view.size == (30, 40)
        assert not view.getexif()


def test_a_large_photo_is_made_smaller_for_agents() -> None:
    noise = Image.effect_noise((2100, 1400), 90).convert("RGB")
    made = io.BytesIO()
    noise.save(made, "PNG")
    row = upload("noise.png", made.getvalue(), make_user())
    assert (row.width, row.height, row.fits_agents) == (2100, 1400, False)
    assert row.view_size <= 1_500_000


def wide(data: bytes, at: int, form: str) -> bytes:
    """The picture, which says to have 60,000 pixels in both directions."""
    return data[:at] + struct.pack(form, 60_000, 60_000) + data[at + struct.calcsize(form) :]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("shot.png", b"no picture at all", "content is not one"),
        ("shot.jpeg", archive := samples.archive(), "content is not one"),
        ("x.heic", b"text", "content is not one"),
        ("x.tiff", b"text", "content is not one"),
        ("shot.png", picture()[:-30], "damaged"),
        ("shot.jpg", picture("JPEG", (300, 300))[:900], "damaged"),
        ("any", b"\x89PNG\r\n\x1a\n" + b"rubbish" * 20, "damaged"),
        ("any", b"GIF89a", "damaged"),
        ("bomb.png", samples.bomb(), "million pixels"),
        ("bomb.png", samples.bomb(9_000, 9_000), "million pixels"),
        ("bomb.gif", wide(picture("GIF"), 6, "<HH"), "million pixels"),
        ("bomb.bmp", wide(picture("BMP"), 18, "<ii"), "million pixels"),
        ("bomb.jpg", wide(jpeg := picture("JPEG"), jpeg.find(b"\xff\xc0") + 5, ">HH"), "million pixels"),
        ("text.png", samples.with_chunk(b"zTXt", b"k\0\0" + samples.BOMB), "damaged"),
        ("profile.png", samples.with_chunk(b"iCCP", b"k\0\0" + samples.BOMB), "damaged"),
        ("photo.png", b"II*\0rest", "content is not one"),
        ("both.png", picture() + archive, "an archive"),
        ("both.jpg", picture("JPEG") + archive, "an archive"),
        ("both.gif", picture("GIF") + b"<script>alert(1)</script>", "a web page"),
        ("both.png", picture() + b"<!DOCTYPE html><p>", "a web page"),
        ("both.jpg", picture("JPEG") + b"<?php system($_GET[0]);", "a web page"),
        ("both.webp", picture("WEBP") + PDF, "a PDF"),
        ("both.gif", b"GIF89a/*" + picture("GIF")[8:] + b"*/=1;alert(1)", "a script"),
        ("empty.png", b"", "is empty"),
    ],
)
def test_broken_huge_and_hostile_pictures_are_refused_with_a_sentence(
    name: str, data: bytes, words: str, data_dir: Path
) -> None:
    with pytest.raises(Refused, match=words) as refusal:
        upload(name, data, make_user())
    assert name in refusal.value.reason
    assert not Attachment.objects.exists()
    assert [path for path in data_dir.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "data",
    [
        svg("<script>alert(1)</script>"),
        svg("<a href='javascript:alert(1)'/>"),
        svg("<a href='java&#10;script:alert(1)'/>"),
        svg("", attributes="onload='alert(1)'"),
        svg("<foreignObject/>"),
        svg("<image href='https://example.org/x.png'/>"),
        svg("<use href='other.svg#a'/>"),
        svg("<image href='data:image/svg+xml;base64,AAAA'/>"),
        svg("<style>@import 'x.css';</style>"),
        svg("<style>a { background: \\75 rl(https://example.org/x) }</style>"),
        svg("<style>a { background: image-set('https://example.org/x' 1x) }</style>"),
        svg("", '<!DOCTYPE svg SYSTEM "https://example.org/x.dtd">'),
        svg("&a;", '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
        svg("<rect style='fill: url(https://example.org/x)'/>"),
        svg("<set attributeName='href' to='x'/>"),
        svg("&a;", '<!DOCTYPE svg [<!ENTITY a "b">]>'),
        svg("", '<?xml-stylesheet href="x.css"?>'),
        svg("<rect>"),
        svg("<script/>").decode().encode("utf-16"),
        b"\xef\xbb\xbf <!-- <html> -->" + svg("<script/>"),
    ],
)
@pytest.mark.parametrize("name", ["x.svg", "x.txt"])
def test_vector_graphics_that_do_or_fetch_something_are_refused(name: str, data: bytes) -> None:
    with pytest.raises(Refused, match="SVG"):
        upload(name, data, make_user())


@pytest.mark.parametrize(
    ("name", "data", "kind", "content_type"),
    [
        ("x.svg", SVG, "text", "image/svg+xml"),
        ("x.svg", W3C + SVG, "text", "image/svg+xml"),
        ("photo.tiff", b"II*\0rest", "file", "application/octet-stream"),
        ("logo.ico", b"\0\0\1\0rest", "file", "application/octet-stream"),
        ("plan.pdf", PDF, "pdf", "application/pdf"),
        ("plan.txt", PDF, "pdf", "application/pdf"),
        ("trace.log", "Zeile mit ü\n".encode(), "text", "text/plain"),
        ("page.html", b"<html><script>alert(1)</script>", "text", "text/plain"),
        ("BMW.txt", b"BMW is a car", "text", "text/plain"),
        ("x.txt", "latin ü".encode("latin-1"), "file", "application/octet-stream"),
        ("x.txt", b"a\0b", "file", "application/octet-stream"),
        ("all.zip", samples.archive(), "file", "application/zip"),
        ("photo.heic", b"\0\0\0\x18ftypheic", "file", "application/octet-stream"),
    ],
)
def test_other_files_are_what_their_content_says(
    name: str, data: bytes, kind: str, content_type: str
) -> None:
    row = upload(name, data, make_user(), "text/html")
    assert (row.kind, row.content_type, content(row.sha256)) == (kind, content_type, data)


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\shot.png", "shot.png"),
        ("a\nb\tc\u2028d.txt", "a b c d.txt"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("...", "file"),
        ("a\0b.txt", "a b.txt"),
        ("\u202egnp.exe", "gnp.exe"),
        ("x\u200b.png", "x.png"),
        ("👩\u200d💻.png", "👩\u200d💻.png"),
        ("", "file"),
        ("ü" * 300 + ".png", "ü" * 251 + ".png"),
    ],
)
def test_names_are_one_line_without_folders(given: str, cleaned: str) -> None:
    assert kinds.clean_name(given) == cleaned


@pytest.mark.parametrize(
    ("name", "data", "is_told"),
    [("x.heic", b"\0\0\0\x18ftypheic", True), ("x.svg", SVG, False), ("x.zip", samples.archive(), False)],
)
def test_a_picture_that_models_can_not_see_is_said(name: str, data: bytes, is_told: bool) -> None:
    assert bool(kinds.note_about(upload(name, data, make_user()))) is is_told


def test_limits_are_said(settings: Settings) -> None:
    settings.ATTACHMENT_BYTES = 1 << 20
    with pytest.raises(Refused, match="at most 1 MB"):
        upload("large.bin", b"\1" * ((1 << 20) + 1), make_user())
    upload("fits.bin", b"\1" * (1 << 20), make_user())


def test_one_user_can_not_fill_the_disk_with_uploads_that_nobody_uses(settings: Settings) -> None:
    settings.TASK_ATTACHMENTS_BYTES = 10
    user = make_user()
    upload("a", b"x" * 50, user)
    with pytest.raises(Refused, match="no task uses"):
        upload("b", b"x", user)
    upload("b", b"x", make_user())
