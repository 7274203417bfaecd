"""A proxy on loopback that breaks connections as told, below TLS and knowing no protocol."""

import asyncio
import re
import socket
import struct
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from tests.rigs.loop import LoopThread
from tests.rigs.process import HOST


@dataclass(frozen=True)
class Fault:
    """What happens to one connection.

    none       passes everything
    cut        the server's side ends (FIN) instead of byte number ``after`` + 1
    rst        the connection is reset there
    stall      nothing passes from there, for ``seconds`` or for ever
    dribble    from there each byte comes alone
    blackhole  accepted, then never a byte
    refuse     reset as soon as it is accepted
    """

    kind: Literal["none", "cut", "rst", "stall", "dribble", "blackhole", "refuse"] = "none"
    after: int = 0  # bytes from the server that still pass
    # Counting begins when the client has sent what matches; by default with the connection.
    on: bytes = b""
    # Whether the server still gets what matched: done but not answered, or never asked.
    forward: bool = True
    seconds: float | None = None  # of a stall; None for ever


@dataclass(frozen=True)
class Passage:
    """Bytes that went through."""

    connection: int  # 0 for the first
    direction: Literal["to server", "to client"]
    data: bytes
    moment: float  # time.monotonic()


class FaultProxy:
    """Stands before ``target_port``; connect to ``port``.

    Each connection takes the next fault of ``plan``; without one everything passes.
    """

    host = HOST

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.plan: deque[Fault] = deque()
        self.transcript: list[Passage] = []
        self.connections = 0  # accepted so far
        self.struck: Counter[str] = Counter()  # kinds of faults that came to pass
        self.port = 0
        self._thread = LoopThread("fault-proxy")
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        listener = socket.create_server((HOST, self.port))
        self.port = listener.getsockname()[1]
        self._server = self._thread.run(asyncio.start_server(self._serve, sock=listener))

    def stop(self) -> None:
        """Refuse new connections, until ``start``; those that are open stay."""
        if self._server:
            self._thread.run(_close(self._server))
            self._server = None

    def close(self) -> None:
        self.stop()
        self._thread.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens on the port meanwhile: connection refused."""
        self.stop()
        yield
        self.start()

    def sent_by_client(self, connection: int | None = None) -> bytes:
        return self._sent("to server", connection)

    def sent_by_server(self, connection: int | None = None) -> bytes:
        """What reached the client."""
        return self._sent("to client", connection)

    def _sent(self, direction: str, connection: int | None) -> bytes:
        return b"".join(
            passage.data
            for passage in list(self.transcript)
            if passage.direction == direction and connection in (None, passage.connection)
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.plan.popleft() if self.plan else Fault()
        number = self.connections
        self.connections += 1
        with suppress(OSError, asyncio.CancelledError):
            if fault.kind == "refuse":
                self.struck[fault.kind] += 1
                _reset(writer)
            elif fault.kind == "blackhole":
                self.struck[fault.kind] += 1
                while await reader.read(65536):
                    pass
            else:
                server = await asyncio.open_connection(HOST, self.target_port)
                await _Connection(self, number, fault, (reader, writer), server).run()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


class _Connection:
    def __init__(
        self,
        proxy: FaultProxy,
        number: int,
        fault: Fault,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.proxy, self.number, self.fault = proxy, number, fault
        self.from_client, self.to_client = client
        self.from_server, self.to_server = server
        self.armed = not fault.on
        self.broken = False
        self.passed = 0  # bytes to the client since the fault was armed
        self.recent = b""  # end of what the client sent: a match may span two reads

    async def run(self) -> None:
        upward = asyncio.create_task(self._upward())
        downward = asyncio.create_task(self._downward())
        try:
            # The client may go on talking to a server that said good-bye, never the reverse.
            await upward
        finally:
            downward.cancel()
            await asyncio.gather(upward, downward, return_exceptions=True)
            self.to_server.close()
            with suppress(OSError):
                await self.to_server.wait_closed()

    async def _upward(self) -> None:
        while data := await self.from_client.read(65536):
            if not self.armed:
                self.recent = (self.recent + data)[-65536:]
                self.armed = re.search(self.fault.on, self.recent) is not None
                if self.armed and not self.fault.forward:
                    self._break()
            if not self.broken:
                self._note("to server", data)
                self.to_server.write(data)
                await self.to_server.drain()

    async def _downward(self) -> None:
        while data := await self.from_server.read(65536):
            if self.broken:
                return
            if not self.armed or self.fault.kind == "none":
                await self._pass(data)
                continue
            room = max(self.fault.after - self.passed, 0)
            await self._pass(data[:room])
            rest = data[room:]
            if self.fault.kind == "dribble":
                if rest and self.passed <= self.fault.after:
                    self.proxy.struck["dribble"] += 1
                for byte in rest:
                    await self._pass(bytes([byte]))
            elif rest and self.fault.seconds is not None:
                self.proxy.struck[self.fault.kind] += 1
                await asyncio.sleep(self.fault.seconds)
                self.fault = Fault()  # once
                await self._pass(rest)
            elif rest:
                self._break()
                return
        self.to_client.write_eof()

    async def _pass(self, data: bytes) -> None:
        if data:
            self._note("to client", data)
            if self.armed:
                self.passed += len(data)
            self.to_client.write(data)
            await self.to_client.drain()

    def _break(self) -> None:
        """From here on nothing passes; what the client still sends is swallowed."""
        self.broken = True
        self.proxy.struck[self.fault.kind] += 1
        if self.fault.kind == "rst":
            _reset(self.to_client)
        elif self.fault.kind == "cut":
            self.to_client.write_eof()

    def _note(self, direction: Literal["to server", "to client"], data: bytes) -> None:
        self.proxy.transcript.append(Passage(self.number, direction, data, monotonic()))


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: linger for no time, RFC 9293 section 3.6.1."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close(server: asyncio.Server) -> None:
    server.close()
