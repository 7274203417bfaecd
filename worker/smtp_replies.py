"""SMTP replies that come to an end, for ``worker.smtp``.

``smtplib`` reads on as long as a server says "220-" or sends a byte now and then.
"""

import smtplib
import socket
from time import monotonic

MAX_REPLY = 1024 * 1024  # octets; RFC 5321 §4.5.3.1.5 knows 512 a line
GRACE_SECONDS = 60  # beyond the socket's timeout, for a whole reply


class _Replies:
    """The lines of a connection; as much of a file as smtplib uses."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self.begin()

    def begin(self) -> None:
        """A new reply begins."""
        self._left = MAX_REPLY
        self._until = monotonic() + (self._connection.gettimeout() or 0) + GRACE_SECONDS

    def readline(self, limit: int) -> bytes:
        line = b""
        while len(line) < limit and not line.endswith(b"\n"):
            if self._left <= 0 or monotonic() > self._until:
                raise OSError("the server's answer does not end")
            ready = self._file.peek(1)[: min(limit - len(line), self._left)]
            if not ready:
                break
            piece = self._file.read(ready.find(b"\n") + 1 or len(ready))
            self._left -= len(piece)
            line += piece
        return line

    def close(self) -> None:
        self._file.close()


class BoundedSMTP(smtplib.SMTP):
    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock)
        if isinstance(self.file, _Replies):
            self.file.begin()
        return super().getreply()


class BoundedSMTPOverTLS(BoundedSMTP, smtplib.SMTP_SSL):
    pass
