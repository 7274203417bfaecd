"""A token endpoint as Google's and Microsoft's are, and its misbehaviour on request."""

import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from tests.rigs.certificates import Certificates
from tests.rigs.process import HOST

Answer = tuple[int, bytes]


class TokenServer:
    """Gives out access tokens for refresh tokens, codes and client secrets.

    rotates: each refresh token serves once and brings a new one. lifetime: of access tokens, in
    seconds, as the server says it. tls: with this certificate.
    """

    def __init__(
        self, *, rotates: bool = True, lifetime: object = 3600, tls: Certificates | None = None
    ) -> None:
        self.rotates = rotates
        self.lifetime = lifetime
        self.size = 1500  # of access tokens
        self.login_lifetime: int | None = None
        self.refresh_tokens = {"first-refresh-token"}  # those that are good
        self.access_tokens: set[str] = set()  # those that a mail server takes
        self.asked: list[dict[str, str]] = []  # the fields of each request, and its ``path``
        self.answers: list[Callable[[], Answer]] = []  # instead of the next ones
        self.secrets = {"first-refresh-token"}  # all that nobody may ever read in a log
        self._serial = count(1)
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._http = ThreadingHTTPServer((HOST, 0), type("Bound", (_Request,), {"tokens": self}))
        self._scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
            self._scheme = "https"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"{self._scheme}://{HOST}:{self._http.server_port}"

    @property
    def grants(self) -> list[str]:
        """The kind of each request for a token."""
        return [fields["grant_type"] for fields in self.asked if "grant_type" in fields]

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def refuse(
        self, error: str, *, status: int = 400, description: str = "", times: int = 1
    ) -> None:
        """Answer the next requests so; a description names an account, as real ones do."""
        said = f"{description} The account anna@sklep.example is to blame."
        body = json.dumps({"error": error, "error_description": said}).encode()
        self.answers += [lambda: (status, body)] * times

    def say(self, status: int, body: bytes) -> None:
        self.answers.append(lambda: (status, body))

    def fall_silent(self) -> None:
        """Never answer the next request."""

        def never() -> Answer:
            self._released.wait()
            return 500, b""

        self.answers.append(never)

    def answer(self, path: str, fields: dict[str, str]) -> Answer:
        with self._lock:
            self.asked.append(fields | {"path": path})
            planned = self.answers.pop(0) if self.answers else None
        return planned() if planned else self._answer(path, fields)

    def _answer(self, path: str, fields: dict[str, str]) -> Answer:
        if path.endswith("/devicecode"):
            values = {"device_code": "device-secret", "user_code": "ABC-DEF", "interval": 0}
            return _json(values | {"verification_uri": "https://microsoft.com/devicelogin"})
        with self._lock:
            if fields["grant_type"] == "refresh_token":
                if fields["refresh_token"] not in self.refresh_tokens:
                    return (
                        400,
                        b'{"error": "invalid_grant", "error_description": "AADSTS700082: x"}',
                    )
                if self.rotates:
                    self.refresh_tokens.remove(fields["refresh_token"])
            values = {"token_type": "Bearer", "expires_in": self.lifetime}
            values["access_token"] = self._new(self.access_tokens, "access" + "x" * self.size)
            first = fields["grant_type"] not in ("refresh_token", "client_credentials")
            if first or (self.rotates and fields["grant_type"] == "refresh_token"):
                values["refresh_token"] = self._new(self.refresh_tokens, "refresh")
                if self.login_lifetime is not None:
                    values["refresh_token_expires_in"] = self.login_lifetime
            return _json(values)

    def _new(self, kind: set[str], prefix: str) -> str:
        token = f"{prefix}-{next(self._serial)}-secret"
        kind.add(token)
        self.secrets.add(token)
        return token


def _json(values: dict[str, Any]) -> Answer:
    return 200, json.dumps(values).encode()


class _Request(BaseHTTPRequestHandler):
    tokens: TokenServer

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        status, body = self.tokens.answer(
            self.path, dict(parse_qsl(self.rfile.read(length).decode()))
        )
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
