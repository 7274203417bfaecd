"""Guards every request and every answer: host, origin, size, and the headers of F-11.

A plain ASGI middleware, so that answers to requests that never reach a route have them as well.
"""

import logging
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.settings import Settings, is_loopback

log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024  # bytes (F-13)
PROBES = ("/healthz", "/readyz")  # a load balancer asks by address, not by name

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), "
        "fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), "
        "payment=(), publickey-credentials-get=(), screen-wake-lock=(), usb=(), "
        "xr-spatial-tracking=()"
    ),
    "Cache-Control": "no-store",
}
ONE_YEAR = "max-age=31536000"

# Status, id of the error, the request: the page that says so.
ErrorPage = Callable[[Request, int, str], Response]


class BodyTooLarge(Exception):
    """More bytes arrived than a form may have."""


class Guard:
    """Refuses what no page of ours would send, and marks every answer."""

    def __init__(self, app: ASGIApp, *, settings: Settings, error_page: ErrorPage) -> None:
        self.app = app
        self.error_page = error_page
        self.behind_tls = bool(settings.web.trusted_proxy)
        self.names = frozenset({settings.web.host.lower(), *settings.web.hosts} - {"0.0.0.0", "::"})
        # The shop's own domains: a name that a stranger's page could rebind is none of them.
        self.domains = tuple(settings.shop.own_domains)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._mark(MutableHeaders(scope=message))
            await send(message)

        status = self._refusal(scope)
        if status is None:
            try:
                await self.app(scope, _limited(receive), send_marked)
            except BodyTooLarge:
                status = 413
            except Exception:  # the last line: nobody may see a trace (F-16)
                if started:
                    raise
                status = 500
        if status is not None:
            await self._refuse(status, scope, receive, send_marked)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        error_id = secrets.token_hex(4)
        fields = {"error_id": error_id, "status": status}
        if status >= 500:
            log.exception("request failed", extra=fields)
        else:
            log.warning("request refused", extra=fields)
        await self.error_page(Request(scope), status, error_id)(scope, receive, send)

    def _mark(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if self.behind_tls:
            headers.setdefault("Strict-Transport-Security", ONE_YEAR)

    def _refusal(self, scope: Scope) -> int | None:
        """The status by which a request is refused before any route sees it."""
        headers = Headers(scope=scope)
        if scope["path"] not in PROBES and not self._is_own_host(headers.getlist("host")):
            return 400
        if scope["method"] not in ("GET", "HEAD") and not self._is_own_origin(headers):
            return 403
        if (
            "\0" in scope["path"]
            or b"%00" in scope["query_string"]
            or b"\0" in scope["query_string"]
        ):
            return 400  # no text of ours has it, and PostgreSQL's text cannot hold it
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 20:
            return 400
        return 413 if int(length) > MAX_BODY else None

    def _is_own_host(self, hosts: Iterable[str]) -> bool:
        """Whether the browser called us by a name that we are known by (F-05)."""
        names = list(hosts)
        if len(names) != 1:
            return False
        try:
            name = (urlsplit(f"//{names[0]}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if is_loopback(name) or name in self.names:
            return True
        return any(name == domain or name.endswith(f".{domain}") for domain in self.domains)

    def _is_own_origin(self, headers: Headers) -> bool:
        """Whether a form was sent by a page of ours (F-10)."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        scheme = "https" if self.behind_tls else "http"
        return headers.get("origin", "").lower() == f"{scheme}://{headers.get('host', '')}".lower()


def _limited(receive: Receive) -> Receive:
    """The body as it comes, until it is larger than it may be."""
    count = 0

    async def receive_counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > MAX_BODY:
            raise BodyTooLarge
        return message

    return receive_counted
