"""Large uploads to a web process of the lab, and the memory that it needs."""

from __future__ import annotations

import http.client
from pathlib import Path

from aitask.tests.lab.app import App

SIZE = 20 << 20


def memory(app: App) -> int:
    """The most that the web process has used, in MB."""
    status = Path(f"/proc/{app.pid('web')}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def post(app: App, data: bytes) -> tuple[int, bytes]:
    mark = "of-this-test"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n'.encode()
    tail = f"\r\n--{mark}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=120)
    headers = {
        "Authorization": f"Bearer {app.api.token}",
        "Content-Type": f"multipart/form-data; boundary={mark}",
    }
    connection.request("POST", "/api/attachments", head + data + tail, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()
