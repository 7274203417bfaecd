import socket
import urllib.error
import urllib.request

import pytest

from config.errors import PermanentError
from config.taxonomy import Taxonomy
from web.app import create_app
from web.server import serve, serving


@pytest.fixture
def app(settings, engine, files, clock):
    return create_app(settings, engine, Taxonomy.load(), files, clock=clock)


def test_the_page_is_served_beside_other_work_and_stops(app):
    with (
        serving(app, "127.0.0.1", 0) as address,
        urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer,
    ):
        assert answer.read() == b"ok\n"
        assert "server" not in answer.headers
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/healthz", timeout=2)


def test_the_same_port_can_be_used_again_at_once(app):
    with serving(app, "127.0.0.1", 0) as address:
        port = int(address.rpartition(":")[2])
    with serving(app, "127.0.0.1", port) as again:
        assert again == address


def test_a_port_in_use_is_said_with_the_way_out(app):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = f"port {port} is in use; choose another by web.port"
        with pytest.raises(PermanentError, match=message):
            serve(app, "127.0.0.1", port)
        with pytest.raises(PermanentError, match=message), serving(app, "127.0.0.1", port):
            pass


def test_an_address_of_another_machine_cannot_be_listened_on(app):
    with pytest.raises(PermanentError, match=r"web\.host"):
        serve(app, "192.0.2.1", 8080)
