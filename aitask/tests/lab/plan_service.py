"""Anthropic's service for plan limits, on loopback: a proxy that `claude` uses by HTTPS_PROXY.

    with PlanService(folder) as service:
        …run claude with service.environment and a home for which `write_login` was called…

It answers `GET /api/oauth/usage` with `windows`, or with `status` if that is an error; everything else gets
404, and no other host can be reached through it.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "api.anthropic.com"
TOKEN = "sk-ant-oat01-lab-0123456789abcdefghij"


class PlanService:
    """The service, as a context manager; certificates are created in `folder`."""

    def __init__(self, folder: Path) -> None:
        later = datetime.now(UTC) + timedelta(hours=2, minutes=7)
        self.windows: dict[str, Any] = {
            "five_hour": {"utilization": 91.0, "resets_at": later.isoformat()},
            "seven_day": {"utilization": 33.0, "resets_at": (later + timedelta(days=4)).isoformat()},
            "seven_day_sonnet": {"utilization": 12.0, "resets_at": (later + timedelta(days=4)).isoformat()},
        }
        self.status = 200
        self.asked = 0
        self._authority = folder / "authority.pem"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(_certificate(folder, self._authority))
        self._socket = socket.create_server(("127.0.0.1", 0))

    @property
    def environment(self) -> dict[str, str]:
        """Variables for `claude`, which allow connections to loopback only."""
        port = self._socket.getsockname()[1]
        return {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NODE_EXTRA_CA_CERTS": str(self._authority)}

    def __enter__(self) -> PlanService:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            wanted = client.recv(65536).split(b" ")[1:2]
            if wanted != [f"{HOST}:443".encode()]:
                return
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                with self._tls.wrap_socket(client, server_side=True) as secure:
                    while request := secure.recv(65536):
                        secure.sendall(self._answer(request))
            except OSError:
                return  # the client disconnected

    def _answer(self, request: bytes) -> bytes:
        status, body = 404, {}
        if request.startswith(b"GET /api/oauth/usage"):
            self.asked += 1
            status, body = self.status, self.windows if self.status == 200 else {}
        payload = json.dumps(body).encode()
        head = [f"HTTP/1.1 {status} Lab", "content-type: application/json", f"content-length: {len(payload)}"]
        return "\r\n".join([*head, "", ""]).encode() + payload


def write_login(config: Path) -> Path:
    """Write a fake login of a Max plan as `claude` stores it; return the file."""
    expires = int((datetime.now(UTC) + timedelta(days=10)).timestamp() * 1000)
    login = {
        "accessToken": TOKEN,
        "refreshToken": TOKEN.replace("oat", "ort"),
        "expiresAt": expires,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    path = config / ".credentials.json"
    path.write_text(json.dumps({"claudeAiOauth": login}))
    path.chmod(0o600)
    return path


def _certificate(folder: Path, authority: Path) -> Path:
    """Create key and certificate of the service, signed by a new authority."""
    signing, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _signed("lab", signing.public_key(), signing, x509.BasicConstraints(ca=True, path_length=None))
    authority.write_bytes(root.public_bytes(Encoding.PEM))
    name = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    certificate = _signed(HOST, own.public_key(), signing, name)
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "service.pem"
    path.write_bytes(key + certificate.public_bytes(Encoding.PEM))
    return path


def _signed(
    name: str, key: ec.EllipticCurvePublicKey, by: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=30),
    )
    return builder.add_extension(extension, critical=False).sign(by, hashes.SHA256())
