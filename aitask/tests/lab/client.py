"""A client of the JSON API, as a user's script would be."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Collection
from typing import Any

from .wait import wait_for

ENDED = frozenset({"succeeded", "failed", "cancelled", "lost"})


class ApiError(Exception):
    """An error response: `status` and the decoded `body`."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class ApiClient:
    """Calls the API with a token. Paths start with `/api/`; results are decoded JSON."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, data: Any = None) -> Any:
        return self.call("POST", path, {} if data is None else data)

    def patch(self, path: str, data: Any) -> Any:
        return self.call("PATCH", path, data)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)

    def call(self, method: str, path: str, data: Any = None) -> Any:
        """Send a request and return the result. Raises ApiError for 4xx and 5xx."""
        body = None if data is None else json.dumps(data).encode()
        return self.send(method, path, body, "application/json")

    def send(self, method: str, path: str, body: bytes | None, content_type: str) -> Any:
        """The same with any body."""
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.data = body
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return _decoded(answer.read())
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _decoded(error.read())) from error

    def attach(
        self, name: str, content: bytes, media_type: str = "application/octet-stream", **more: Any
    ) -> Any:
        """Upload a file, which belongs to no task yet unless `more` names one."""
        mark = "--of-this-test"
        fields = {f'name="{field}"': str(value).encode() for field, value in more.items()}
        parts = [*fields.items(), (f'name="file"; filename="{name}"\r\nContent-Type: {media_type}', content)]
        body = b"".join(
            f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
            for head, data in parts
        )
        data = body + f"--{mark}--\r\n".encode()
        return self.send("POST", "/api/attachments", data, f"multipart/form-data; boundary={mark}")

    def add_workspace(self, name: str, repo_path: str, **fields: Any) -> Any:
        """Add a workspace, on this machine unless `fields` set another host."""
        return self.post("/api/workspaces", {"name": name, "kind": "local", "repo_path": repo_path} | fields)

    def add_task(self, workspace: int, prompt: str, backend: str = "claude_code", **fields: Any) -> Any:
        title = fields.pop("title", prompt.splitlines()[0][:60])
        task = {"workspace": workspace, "title": title, "prompt": prompt, "backend": backend}
        return self.post("/api/tasks", task | fields)

    def run_task(self, task: int, **fields: Any) -> Any:
        return self.post(f"/api/tasks/{task}/run", fields)

    def run(self, run: int) -> Any:
        return self.get(f"/api/runs/{run}")

    def events(self, run: int) -> list[dict[str, Any]]:
        """Return all events of a run, fetched page by page."""
        found: list[dict[str, Any]] = []
        while page := self.get(f"/api/runs/{run}/events?limit=500&after={found[-1]['seq'] if found else 0}"):
            found += page
        return found

    def wait_for_run(self, run: int, states: Collection[str] = ENDED, timeout: float = 60) -> Any:
        """Wait for one of these states and return the run. Raises AssertionError with its last state."""
        last: dict[str, Any] = {}

        def arrived() -> bool:
            last.update(self.run(run))
            return last["state"] in states

        try:
            wait_for(arrived, timeout, every=0.1)
        except AssertionError:
            raise AssertionError(f"run {run} is not {sorted(states)} after {timeout} s: {last}") from None
        return last


def _decoded(payload: bytes) -> Any:
    try:
        return json.loads(payload) if payload else None
    except ValueError:
        return payload.decode(errors="replace")
