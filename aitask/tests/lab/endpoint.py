"""A scripted model endpoint for the real `claude` and `codex`: the prompt says what the model answers.

    with ScriptedEndpoint() as endpoint:
        …run a CLI against endpoint.url (claude) or endpoint.url + "/v1" (codex)…
        endpoint.ledger.total(session)

or as a program: `python -m aitask.tests.lab.endpoint --port 0 --ledger ledger.jsonl` (prints its URL;
`GET /ledger` returns all entries as JSON). Standard library only; listens on 127.0.0.1.

The language
------------
Lines of the prompt that start with `@` are directives; other lines are ignored. The user's latest message
with directives is the script. The number of the model's responses since then determines which step is due, so
retries, resumes, restarts of this server and parallel sessions have no effect on it. Each tool directive is
one response of the model, together with the texts before it. After the last step the model answers "Done.".

Text (several may come before a tool call, all in one response):
  @text WORDS             text; `\\n`, `\\t` and `\\\\` are escapes here and in @think, @write, @edit, @plan
  @think WORDS            thinking (claude) or a reasoning summary (codex)
  @stream N SECONDS       text of N lines "line 1", "line 2", …, SECONDS apart, streamed
  @words N SECONDS [FILE] text of N words "w1", "w2", …, SECONDS apart, streamed; see `spoken_at`. The last
                          word comes when FILE exists
  @muse N SECONDS [FILE]  the same as thinking
Calling a tool (ends the response):
  @bash COMMAND           Bash (claude), exec_command or a script in code mode (codex)
  @lines N SECONDS        a command that prints "line 1" … "line N", SECONDS apart
  @steps N SECONDS        N consecutive responses with "step K" and `sleep SECONDS; echo step K`
  @write PATH CONTENT     a new file (Write, apply_patch); CONTENT may be empty and gets a final newline;
                          a PATH with spaces is quoted; relative means the working directory
  @edit PATH 'OLD' 'NEW'  change a file (Edit needs an earlier @read; apply_patch needs whole lines)
  @read PATH              Read (claude), cat (codex)
  @ask QUESTION | A | B   AskUserQuestion (claude), request_user_input (codex, plan mode only)
  @plan WORDS             ExitPlanMode (claude), update_plan (codex)
  @tool NAME JSON         any tool by its own name, e.g. `@tool Agent {"prompt": "@bash true", …}`
  @and DIRECTIVE          a further tool call in the same response as the one before, e.g. `@and bash ls`
The response that follows:
  @delay SECONDS          wait before its first byte
  @error STATUS [TIMES]   answer this HTTP status instead; TIMES times (then the response itself), or always
  @cut [TIMES]            close the connection in the middle of it; once, or TIMES times
  @limit [MINUTES]        the plan limit is reached and resets in MINUTES (60): 429 with the headers or body
                          by which each CLI knows it (claude shows it as a plan limit with an OAuth login)
  @login [TIMES]          401, the credentials are refused; always, or TIMES times
  @quota PERCENT          headers with the used part of the plan's windows
  @headers NAME: VALUE; … further response headers
An unknown directive is answered with 400 and an error message.

The ledger
----------
Every model request is one `Entry`: api, path, kind, status, model, effort, session (claude's session id,
codex's thread id), step, tokens, the user's last text with its digest, times, and whether the response was
delivered completely. The token numbers of each response are unique. `kind` is "turn" for the agent's own
requests; session titles and compactions have other kinds, and token counts are not listed. A request without
a script is answered with "Done.".

Prompts without directives
--------------------------
`ScriptedEndpoint(scripts={"Fix the page": "@text …"})` uses a script if the prompt contains its key,
so that tasks can read like those of a real project.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from . import messages_api, responses_api
from .conversation import Api, Conversation
from .given_files import digests_in
from .ledger import Entry, Ledger, Tokens
from .script import LAST, Fault, ScriptError, Step

APIS: dict[str, Api] = {
    "/v1/messages": cast(Api, messages_api),
    "/v1/responses": cast(Api, responses_api),
}


class Gone(Exception):
    """The client disconnected, or the stream was interrupted on purpose."""


class ScriptedEndpoint:
    """The server, as a context manager; `url` has no path."""

    def __init__(
        self, port: int = 0, ledger_file: Path | None = None, scripts: Mapping[str, str] | None = None
    ) -> None:
        self.ledger = Ledger(ledger_file)
        self.scripts = dict(scripts or {})
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._requests = 0
        self._faults: Counter[tuple[str, str, int, int]] = Counter()
        self._answering: Counter[str] = Counter()
        self.spoken_at: dict[tuple[str, str], float] = {}
        "When (time.time()) each text of @words and @muse was last sent, by session and text."
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.endpoint = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ScriptedEndpoint:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening, and interrupt pending responses."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def next_number(self) -> int:
        with self._lock:
            self._requests += 1
            return self._requests

    def note_answer(self, session: str, change: int) -> None:
        """Note that a response to this CLI session starts (1) or ends (-1)."""
        with self._lock:
            self._answering[session] += change

    def is_answering(self, session: str) -> bool:
        """Return whether a response to this CLI session is in progress."""
        with self._lock:
            return self._answering[session] > 0

    def due_fault(self, talk: Conversation, number: int, step: Step) -> Fault | None:
        """Return the fault for this request: each fault of a step applies its number of times in turn."""
        with self._lock:
            for index, fault in enumerate(step.faults):
                key = (talk.session, talk.digest, number, index)
                if fault.times is None or self._faults[key] < fault.times:
                    self._faults[key] += 1
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    endpoint: ScriptedEndpoint

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect: the ledger records them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: there is the ledger."""

    def do_HEAD(self) -> None:
        self.write_json(200, None)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/ledger":
            self.write_json(200, [asdict(entry) for entry in self.server.endpoint.ledger.entries()])
        elif path == "/v1/models":
            self.write_json(200, {"object": "list", "data": [], "models": []})
        else:
            self.write_json(404, {"error": {"message": f"nothing at {path}"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self.write_json(200, {"input_tokens": 1000})
        elif path in APIS:
            _Answer(self, APIS[path], body).give()
        else:
            self.write_json(404, {"error": {"message": f"nothing at {path}"}})

    def write_json(
        self, status: int, data: Any, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        payload = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if cut else payload)
        if cut:
            raise Gone

    def start_stream(self, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {"content-type": "text/event-stream", **headers}.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def write_event(self, event: dict[str, Any]) -> None:
        text = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")


class _Answer:
    """One model request, from parsing it to its ledger entry."""

    def __init__(self, handler: _Handler, api: Api, body: dict[str, Any]) -> None:
        self.handler = handler
        self.endpoint = handler.server.endpoint
        self.api = api
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.talk = api.read(body, headers).with_scripts(self.endpoint.scripts)
        self.files = tuple(digests_in(body))
        self.number = self.endpoint.next_number()
        self.started_at = time.time()
        self.step_number = 0
        self.status = 200
        self.tokens = Tokens()

    def give(self) -> None:
        complete = False
        self.endpoint.note_answer(self.talk.session, 1)
        try:
            self._give()
            complete = True
        except (Gone, ConnectionError):
            self.handler.close_connection = True
        finally:
            self.endpoint.note_answer(self.talk.session, -1)
            self._record(complete)

    def _give(self) -> None:
        try:
            self.step_number, step = self.talk.step() if self.talk.kind == "turn" else (0, LAST)
        except ScriptError as error:
            return self._fail(Fault("error", None, status=400), str(error))
        self._pause(step.delay)
        fault = self.endpoint.due_fault(self.talk, self.step_number, step)
        if fault and fault.kind != "cut":
            return self._fail(fault, f"scripted error {fault.status}")
        return self._answer(step, cut=fault is not None)

    def _fail(self, fault: Fault, message: str) -> None:
        self.status = fault.status
        data, headers = self.api.failure(fault, message)
        self.handler.write_json(fault.status, data, headers)

    def _answer(self, step: Step, *, cut: bool) -> None:
        self.tokens = Tokens.of_request(self.number, reasoning=self.api.name == "responses")
        headers = dict(step.headers)
        if step.quota is not None:
            headers |= self.api.quota_headers(step.quota)
        if self.talk.stream:
            self.handler.start_stream(headers)
            self._stream(step, cut=cut)
        else:
            data = self.api.whole(self.talk, step, self.tokens)
            self.handler.write_json(200, data, headers, cut=cut)

    def _stream(self, step: Step, *, cut: bool) -> None:
        for event in self.api.events(self.talk, step, self.tokens):
            if isinstance(event, float):
                self._pause(event)
                continue
            if cut and event["type"] in self.api.final_events:
                raise Gone
            if word := self.api.word_of(event):
                self.endpoint.spoken_at[self.talk.session, word] = time.time()
            self.handler.write_event(event)
        self.handler.end_stream()

    def _pause(self, seconds: float) -> None:
        if seconds and self.endpoint.closing.wait(seconds):
            raise Gone

    def _record(self, complete: bool) -> None:
        self.endpoint.ledger.add(
            Entry(
                number=self.number,
                api=self.api.name,
                path=self.handler.path,
                kind=self.talk.kind,
                status=self.status,
                complete=complete,
                model=self.talk.model,
                effort=self.talk.effort,
                session=self.talk.session,
                step=self.step_number,
                tokens=self.tokens,
                prompt=self.talk.prompt,
                prompt_digest=self.talk.digest,
                started_at=self.started_at,
                ended_at=time.time(),
                files=self.files,
                root=self.talk.root or self.talk.session,
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted model endpoint on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ledger", type=Path, help="append every entry to this JSONL file")
    options = parser.parse_args()
    with ScriptedEndpoint(options.port, options.ledger) as endpoint:
        print(endpoint.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
