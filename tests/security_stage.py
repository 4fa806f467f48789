"""What a secured cluster has around its broker: a token endpoint, a registry behind TLS and a login, strangers with certificates."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from stack.certificates import SIGNER

CLIENT = "watcher"


class TokenEndpoint:
    """Gives tokens that the stack's broker takes, to one client with one secret; `signer` is the key in place of the stack's."""

    def __init__(self, secret: str, key_file: Path, signer: rsa.RSAPrivateKey | None = None) -> None:
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key, self._secret = signer or key, secret
        self.asked: list[dict[str, list[str]]] = []
        """The forms that were sent with the right secret."""

    def answer(self, authorization: str, form: str) -> tuple[int, dict[str, object]]:
        if authorization != basic(CLIENT, self._secret):
            return 401, {"error": "invalid_client", "error_description": "no such client"}
        self.asked.append(parse_qs(form))
        return 200, {"access_token": self.token(), "token_type": "Bearer", "expires_in": 600, "expires_at": time.time() + 600}

    def token(self) -> str:
        now = int(time.time())
        claims = {"sub": CLIENT, "aud": "kafka", "iat": now, "exp": now + 600, "scope": "kafka"}
        signed = f"{_part({'alg': 'RS256', 'kid': SIGNER})}.{_part(claims)}"
        return f"{signed}.{_base64(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    @contextmanager
    def served(self, port: int = 0) -> Iterator[str]:
        """Yields the URL."""
        endpoint = self

        class Handler(_Quiet):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body = endpoint.answer(self.headers.get("Authorization", ""), form)
                self.reply(status, json.dumps(body).encode())

        with _served(Handler, port) as at:
            yield f"http://{at}/token"


@contextmanager
def gate(registry: str, certificate: Path, authorization: str) -> Iterator[str]:
    """The registry behind TLS, for who comes with this Authorization (or what begins with it); yields its URL there."""
    origin, path = registry[: registry.index("/apis")], registry[registry.index("/apis") :]

    class Handler(_Quiet):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not self.headers.get("Authorization", "").startswith(authorization):
                self.reply(401, b'{"error_code": 401, "message": "Unauthorized"}')
                return
            headers = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
            answer = httpx.request(self.command, f"{origin}{self.path}", content=body, headers=headers, timeout=30)
            self.reply(answer.status_code, answer.content, answer.headers.get("Content-Type", "application/json"))

        do_GET = do_POST = do_PUT = do_DELETE = forward  # noqa: N815 - the base class calls them so

    with _served(Handler, 0, certificate) as at:
        yield f"https://{at}{path}"


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us hangs up: no news."""


@contextmanager
def _served(handler: type[_Quiet], port: int, certificate: Path | None = None) -> Iterator[str]:
    with _Server(("127.0.0.1", port), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is the connection's own thread's: a client that hangs up must not end the server.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _part(value: dict[str, object]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
