"""What a preview shows in place of its program: small pages with a policy of their own.

They are on the origin of the preview, so they contain nothing that the program must not know.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape

from aitask.lib.exchange import Exchange
from aitask.lib.preview_hosts import PreviewHost

STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif;
--bg:light-dark(#f6f7f9,#16181d);--fg:light-dark(#1c2127,#e3e6ea);--dim:light-dark(#59636e,#9aa4b0)}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--fg)}
main{max-width:34rem;padding:2rem;text-align:center}
h1{font-size:1.35rem;margin:0 0 .5rem;overflow-wrap:anywhere}
p{margin:0 0 .5rem;color:var(--dim);overflow-wrap:anywhere}
a{color:light-dark(#0b57d0,#8ab4f8)}
.wait{width:1.75rem;height:1.75rem;margin:0 auto 1rem;border-radius:50%;
border:3px solid light-dark(#d0d7de,#3a4048);border-top-color:light-dark(#0b57d0,#8ab4f8);
animation:turn 1s linear infinite}
@keyframes turn{to{transform:rotate(1turn)}}
@media(prefers-reduced-motion:reduce){.wait{animation:none}}
"""
SCRIPT = """
setInterval(async () => {
  try {
    const answer = await fetch("/.aitask-preview/state", {cache: "no-store"});
    if ((await answer.text()) !== document.body.dataset.state) location.reload();
  } catch {}
}, 1000);
"""


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_source(STYLE)}; script-src {_source(SCRIPT)}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"Content-Security-Policy", POLICY.encode()),
    (b"Cache-Control", b"no-store"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"DENY"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
]


@dataclass(frozen=True)
class PreviewNotice:
    """Why the program is not shown."""

    state: str
    status: int
    reason: str
    hint: str = ""
    waits: bool = False
    "Whether the page asks each second whether it can show more."

    @property
    def html(self) -> str:
        wait = '<div class="wait" aria-hidden="true"></div>' if self.waits else ""
        script = f"<script>{SCRIPT}</script>" if self.waits else ""
        hint = f"<p>{escape(self.hint)}</p>" if self.hint else ""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.reason)}</title><style>{STYLE}</style></head>"
            f'<body data-state="{escape(self.state)}"><main>{wait}'
            f'<div role="status"><h1>{escape(self.reason)}</h1>{hint}</div></main>{script}</body></html>'
        )


def not_open(host: PreviewHost) -> PreviewNotice:
    place, end = f"the page of task #{host.whose[1:]}", "you log out, and when the task is done"
    if host.whose.startswith("w"):
        place, end = "the bar of Spotlight", "you log out"
    hint = f"Open it from {place}. It closes when {end}."
    return PreviewNotice("closed", 403, "This preview is not open in this browser.", hint)


def waiting(port: int, label: str) -> PreviewNotice:
    return PreviewNotice(
        "waiting",
        503,
        f"Waiting for port {port} of {label}…",
        "The page appears here as soon as a program of the task listens on it.",
        waits=True,
    )


def lost(label: str, reason: str) -> PreviewNotice:
    return PreviewNotice(
        "lost", 503, f"The link to {label} is lost.", f"{reason} This page reloads itself.", waits=True
    )


def respond(exchange: Exchange, notice: PreviewNotice) -> None:
    """Answer with a page, or with a line of text if no page is asked for."""
    is_page = b"text/html" in exchange.header(b"accept") and exchange.method in (b"GET", b"HEAD")
    text = notice.html if is_page else f"{notice.reason} {notice.hint}".strip() + "\n"
    kind = "html" if is_page else "plain"
    _send(exchange, notice.status, f"text/{kind}; charset=utf-8", text)


def respond_text(exchange: Exchange, status: int, text: str) -> None:
    _send(exchange, status, "text/plain; charset=utf-8", text)


def redirect(exchange: Exchange, target: str, cookie: bytes = b"") -> None:
    cookies = [(b"Set-Cookie", cookie)] if cookie else []
    exchange.start(
        303,
        b"See Other",
        [*HEADERS, (b"Location", target.encode()), (b"Content-Length", b"0"), *cookies],
    )
    exchange.end()


def _send(exchange: Exchange, status: int, kind: str, text: str) -> None:
    body = text.encode()
    headers = [*HEADERS, (b"Content-Type", kind.encode()), (b"Content-Length", str(len(body)).encode())]
    exchange.start(status, b"", headers)
    exchange.write_last(body)
