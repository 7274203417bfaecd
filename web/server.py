"""Serving the page: in this thread until stopped, or beside other work in a thread of its own."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from config.errors import PermanentError, TemporaryError

GRACE = 5  # seconds for answers that are still being written when the page stops
START = 15  # seconds until the page must have started
HEADER_BYTES = 16 * 1024  # F-13


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises PermanentError when the port cannot be used.
    """
    listening = _listen(host, port)
    try:
        _server(app).run(sockets=[listening])
    finally:
        listening.close()


@contextmanager
def serving(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the address, with the port really used.

    port: 0 takes a free one. Raises PermanentError when the port cannot be used.
    """
    listening = _listen(host, port)
    server = _server(app)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="web", daemon=True
    )
    thread.start()
    try:
        _wait_until_started(server, thread)
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(GRACE + 5)
        listening.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    waiting = threading.Event()
    for _ in range(START * 50):
        if server.started or not thread.is_alive():
            break
        waiting.wait(0.02)
    if not server.started:
        raise TemporaryError(f"the page did not start within {START} seconds")


def _server(app: FastAPI) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,  # config.logs decides
            access_log=False,  # addresses of pages name tickets and one-time links
            server_header=False,
            proxy_headers=False,  # nothing here depends on what a proxy says of the client
            ws="none",
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=200,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port in use is said before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise PermanentError(
                f"port {port} is in use; choose another by web.port (odzew demo: --port)"
            ) from None
        raise PermanentError(
            f"the page cannot listen on {host}:{port}: {error.strerror}; "
            "correct web.host and web.port"
        ) from None
    return listening
