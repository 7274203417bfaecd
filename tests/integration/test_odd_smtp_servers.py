"""E-77: SMTP servers that say too much, or nothing that anybody could read."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.factories import an_smtp_server
from tests.integration.test_deliver import in_outbox, now_of
from worker.deliver import deliver
from worker.smtp import ServerUnreachable, connect


@pytest.fixture
def make_server() -> Iterator[Callable[[bytes], int]]:
    """A server that says these bytes to whoever connects and then waits for the end."""
    listening: list[socket.socket] = []

    def make(banner: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(banner)
                    connection.settimeout(5)
                    while connection.recv(4096):
                        connection.sendall(b"250 ok\r\n")
                except OSError:
                    pass  # the client has had enough

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield make
    for server in listening:
        server.close()


@pytest.mark.parametrize(
    "banner",
    [
        pytest.param(b"220 " + b"x" * 10_000_000, id="10 MB without a line end"),
        pytest.param(b"220-" + b"x" * 10_000_000 + b"\r\n220 ok\r\n", id="a line of 10 MB"),
        pytest.param(b"\xff\xfe\x00" * 1000 + b"\r\n", id="no SMTP at all"),
        pytest.param(b"abc ok\r\n", id="no number"),
        pytest.param("554 nie przyjmujemy poczty, żółć\r\n".encode("cp1250"), id="not ASCII"),
        pytest.param(b"554 \x1b[31m<b>no</b>\x00\r\n", id="control characters"),
        pytest.param(b"", id="nothing, then the end"),
    ],
)
def test_a_server_that_greets_oddly_is_unreachable_in_one_short_sentence(make_server, banner):
    port = make_server(banner or b"421\r\n")
    started = time.monotonic()
    with pytest.raises(ServerUnreachable) as raised, connect(an_smtp_server(port=port)):
        pass
    assert time.monotonic() - started < 20
    said = str(raised.value)
    assert f"127.0.0.1:{port}" in said
    assert len(said) < 400
    assert "\n" not in said


def test_a_greeting_in_another_alphabet_is_no_obstacle(make_server):
    greeting = "220-Witamy, żółć\r\n220 sklep.example\r\n".encode("cp1250")
    with connect(an_smtp_server(port=make_server(greeting))):
        pass


def test_a_greeting_of_many_lines_is_read_to_its_end(make_server):
    greeting = b"220-witamy\r\n" * 10_000 + b"220 ok\r\n"
    with connect(an_smtp_server(port=make_server(greeting))):
        pass


def test_a_greeting_without_end_is_given_up(make_server):
    greeting = b"220-witamy\r\n" * 1_000_000  # 12 MB, and no last line
    started = time.monotonic()
    with (
        pytest.raises(ServerUnreachable, match="does not end"),
        connect(an_smtp_server(port=make_server(greeting))),
    ):
        pass
    assert time.monotonic() - started < 5


def test_a_greeting_that_comes_drop_by_drop_is_given_up(monkeypatch):
    monkeypatch.setattr("worker.smtp_replies.GRACE_SECONDS", -19.5)  # half a second for a reply
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(b"2")
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    port = int(server.getsockname()[1])
    with (
        server,
        pytest.raises(ServerUnreachable, match="does not end"),
        connect(an_smtp_server(port=port)),
    ):
        pass


def a_conversation(
    connection: socket.socket, instead: Callable[[bytes, int], bytes | None], taken: list[bytes]
) -> None:
    """Plain SMTP; ``instead`` of an answer to the n-th command of its kind on this connection."""
    lines, said = connection.makefile("rb"), dict[bytes, int]()
    connection.sendall(b"220 ok\r\n")
    for line in lines:
        verb = line[:4].upper()
        said[verb] = said.get(verb, 0) + 1
        other = instead(verb, said[verb])
        if other is not None:
            connection.sendall(other + b"\r\n")
        elif verb == b"DATA":
            connection.sendall(b"354 go on\r\n")
            taken.append(b"".join(iter(lines.readline, b".\r\n")))
            connection.sendall(b"250 ok\r\n")
        else:
            connection.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")


@pytest.fixture
def make_scripted(sqlite_engine, make_context):
    """A context whose SMTP server answers otherwise here and there, and what that has taken."""
    listening: list[socket.socket] = []

    def make(instead):
        server, taken = socket.create_server(("127.0.0.1", 0)), []
        listening.append(server)

        def serve() -> None:
            with contextlib.suppress(OSError):  # it was closed
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        a_conversation(connection, instead, taken)

        threading.Thread(target=serve, daemon=True).start()
        smtp = an_smtp_server(port=server.getsockname()[1])
        return make_context(sqlite_engine, smtp=smtp), taken

    yield make
    for server in listening:
        server.close()


@pytest.mark.parametrize("verb", [b"MAIL", b"RSET"])
def test_a_server_that_takes_so_many_a_connection_costs_no_message_anything(make_scripted, verb):
    """RFC 5321 §3.8: 421 in place of any answer."""
    context, taken = make_scripted(lambda v, n: b"421 enough" if v == verb and n > 2 else None)
    rows = in_outbox(context, 5)
    assert [deliver(context) for _ in range(4)] == [5, 3, 1, 0]
    assert [(now_of(context, r).state, now_of(context, r).attempts) for r in rows] == [
        ("sent", 0)
    ] * 5
    assert len(taken) == 5


@pytest.mark.parametrize("verb", [b"MAIL", b"RCPT", b"DATA"])
def test_after_an_answer_that_nobody_can_read_no_other_is_taken_for_it(make_scripted, verb):
    stray = [b"warning: busy\r\n250 ok"]
    context, taken = make_scripted(lambda v, _: stray.pop() if stray and v == verb else None)
    rows = in_outbox(context, 3)
    with pytest.raises(ServerUnreachable, match="no SMTP reply"):
        deliver(context)
    context.clock.forward(minutes=2)
    while deliver(context):
        continue
    assert [now_of(context, row).state for row in rows] == ["sent"] * 3
    assert len(taken) == 3
