"""An SMTP server that keeps what it is given, and misbehaves on request (aiosmtpd)."""

# ruff: noqa: N802 - aiosmtpd names its methods after the commands

import asyncio
import base64
import re
import socket
import ssl
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from threading import Condition
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.rigs.certificates import Certificates
from tests.rigs.loop import LoopThread
from tests.rigs.process import HOST

# connect: the greeting. data: the DATA command. message: what is said after the final dot.
Stage = Literal["connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "message"]


@dataclass(frozen=True)
class CaughtMail:
    """One message that was accepted, with its envelope."""

    sender: str  # "" for the null address
    recipients: tuple[str, ...]
    content: bytes  # as sent, without the dots added for transport
    encrypted: bool
    user: str | None  # who had logged in
    connection: int  # the client's port: the same for messages that shared a connection
    options: tuple[str, ...]  # of MAIL FROM: BODY=8BITMIME, SIZE=...


@dataclass
class _Fault:
    stage: Stage
    action: Literal["reply", "drop", "silence"]
    reply: str = ""
    matching: str = ""
    accepted: bool = False
    left: int = 1


class SmtpCatcher:
    """A mail server on loopback.

    tls: offer STARTTLS with this certificate. users: name to password; then a login is needed
    before MAIL, and over TLS only where that is offered. tokens: what counts as a login by XOAUTH2,
    looked at each time. size_limit: in bytes, told to the client.
    """

    host = HOST

    def __init__(
        self,
        *,
        tls: Certificates | None = None,
        users: dict[str, str] | None = None,
        tokens: Container[str] | None = None,
        size_limit: int = 50_000_000,
    ) -> None:
        self.users = users or {}
        self.tokens = tokens
        self.size_limit = size_limit
        self.tls: ssl.SSLContext | None = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(tls.certificate, tls.key)
        self._arrived = Condition()
        self._mails: list[CaughtMail] = []
        self._faults: list[_Fault] = []
        self.struck: Counter[str] = Counter()  # faults that came to pass: "drop at message"
        self._conversations: set[_Conversation] = set()
        self._thread = LoopThread("smtp-catcher")
        self._server: asyncio.Server | None = None
        self.port = 0  # any; the same again after stop and start

    def start(self) -> None:
        listener = socket.create_server((HOST, self.port))
        self.port = listener.getsockname()[1]
        self._server = self._thread.run(self._listen(listener))

    def stop(self) -> None:
        """Refuse connections and drop those that are open, until ``start``."""
        if self._server:
            self._thread.run(self._drop_everything(self._server))
            self._server = None

    def close(self) -> None:
        self.stop()
        self._thread.close()

    @property
    def mails(self) -> list[CaughtMail]:
        """What was accepted so far, in order."""
        with self._arrived:
            return list(self._mails)

    def wait_for(self, number: int, *, seconds: float = 10) -> list[CaughtMail]:
        """The mails, as soon as there are so many of them."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._mails) >= number, seconds):
                raise TimeoutError(f"{len(self._mails)} of {number} mails after {seconds} s")
            return list(self._mails)

    def forget(self) -> None:
        """As new: no mails, no faults."""
        with self._arrived:
            self._mails.clear()
        self._faults.clear()

    # What comes next at a stage; several are taken in the order given. `matching` is a part of
    # the command's argument or, for "message", of the content, as text.

    def refuse(self, stage: Stage, reply: str, *, times: int = 1, matching: str = "") -> None:
        """Answer so instead of agreeing: ``450 4.2.0 later``, ``550 5.1.1 no such user``."""
        self._faults.append(_Fault(stage, "reply", reply, matching, left=times))

    def drop(
        self, stage: Stage, *, accepted: bool = False, times: int = 1, matching: str = ""
    ) -> None:
        """Close the connection instead of answering; accepted: the message is kept all the same."""
        self._faults.append(_Fault(stage, "drop", "", matching, accepted, left=times))

    def fall_silent(
        self, stage: Stage, *, accepted: bool = False, times: int = 1, matching: str = ""
    ) -> None:
        """Never answer, until the client gives up."""
        self._faults.append(_Fault(stage, "silence", "", matching, accepted, left=times))

    async def _listen(self, listener: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Conversation(self, loop), sock=listener)

    async def _drop_everything(self, server: asyncio.Server) -> None:
        server.close()
        for conversation in self._conversations:
            conversation.abort()
        while self._conversations:
            await asyncio.sleep(0)  # lets the loop report each lost connection

    def _take_fault(self, stage: Stage, argument: str) -> _Fault | None:
        for fault in self._faults:
            if fault.stage == stage and fault.left and fault.matching in argument:
                fault.left -= 1
                self.struck[f"{fault.reply[:3] or fault.action} at {stage}"] += 1
                return fault
        return None

    def _keep(self, session: Session, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        mail = CaughtMail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            content=content,
            encrypted=session.ssl is not None,
            user=getattr(session, "login", None),
            connection=session.peer[1],
            options=tuple(envelope.mail_options),
        )
        with self._arrived:
            self._mails.append(mail)
            self._arrived.notify_all()


class _Handler:
    """What aiosmtpd asks when a message is complete."""

    async def handle_DATA(
        self, server: "_Conversation", session: Session, envelope: Envelope
    ) -> str:
        return await server.message_reply(session, envelope)


class _Conversation(SMTP):
    """One connection: aiosmtpd's own, with a look at the planned faults before each answer."""

    def __init__(self, catcher: SmtpCatcher, loop: asyncio.AbstractEventLoop) -> None:
        self.catcher = catcher
        super().__init__(
            _Handler(),
            hostname="catcher.test",  # found out by DNS otherwise
            ident="odzew test server",
            tls_context=catcher.tls,
            auth_require_tls=catcher.tls is not None,
            auth_exclude_mechanism=(
                *(() if catcher.users else ("LOGIN", "PLAIN")),
                *(() if catcher.tokens is not None else ("XOAUTH2",)),
            ),
            authenticator=self._check_password,
            data_size_limit=catcher.size_limit,
            enable_SMTPUTF8=True,
            loop=loop,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.catcher._conversations.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.catcher._conversations.discard(self)
        super().connection_lost(error)

    def abort(self) -> None:
        # Below TLS, if there is any.
        transport = self._original_transport or self.transport
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]

    async def _handle_client(self) -> None:
        if not await self._misbehaves("connect", ""):
            await super()._handle_client()
        elif self.transport is not None:
            self.transport.close()

    async def smtp_HELO(self, hostname: str) -> None:
        if not await self._misbehaves("helo", hostname):
            await super().smtp_HELO(hostname)

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self._misbehaves("helo", hostname):
            await super().smtp_EHLO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:
        if not await self._misbehaves("starttls", ""):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self._misbehaves("auth", arg or ""):
            await super().smtp_AUTH(arg)

    async def auth_XOAUTH2(self, _server: SMTP, args: list[str]) -> AuthResult:
        said = await self.challenge_auth("") if len(args) == 1 else base64.b64decode(args[1])
        assert isinstance(said, bytes)
        given = re.fullmatch(r"user=(.+)\x01auth=Bearer (.+)\x01\x01", said.decode())
        if given and self.catcher.tokens is not None and given[2] in self.catcher.tokens:
            self.session.login = given[1]  # type: ignore[attr-defined]
            return AuthResult(success=True)
        # As Google and Microsoft do: the reason first, and the verdict after an empty line.
        if await self.challenge_auth('{"status":"400","schemes":"Bearer"}') != b"":
            return AuthResult(success=False, handled=True)
        return AuthResult(success=False, handled=False)

    async def smtp_MAIL(self, arg: str | None) -> None:
        needed = self.catcher.users or self.catcher.tokens is not None
        if needed and not self.session.authenticated:
            await self.push("530 5.7.0 Authentication required")
        elif not await self._misbehaves("mail", arg or ""):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self._misbehaves("rcpt", arg or ""):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self._misbehaves("data", arg or ""):
            await super().smtp_DATA(arg)

    async def message_reply(self, session: Session, envelope: Envelope) -> str:
        text = (envelope.original_content or b"").decode("utf-8", "replace")
        fault = self.catcher._take_fault("message", text)
        if fault is None or fault.accepted:
            self.catcher._keep(session, envelope)
        if fault is None:
            return "250 2.0.0 kept"
        return await self._act(fault)

    async def _misbehaves(self, stage: Stage, argument: str) -> bool:
        """Whether a planned fault was the answer."""
        fault = self.catcher._take_fault(stage, argument)
        if fault is None:
            return False
        await self.push(await self._act(fault))
        return True

    async def _act(self, fault: _Fault) -> str:
        """The reply to give; for a dropped or silent connection it never returns.

        Losing the connection cancels the task that waits here.
        """
        if fault.action != "reply":
            if fault.action == "drop":
                assert self.transport is not None
                self.transport.close()
            await asyncio.Event().wait()
        return fault.reply

    def _check_password(
        self, _server: SMTP, session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        if not isinstance(given, LoginPassword):
            return AuthResult(success=False, handled=False)
        name = given.login.decode()
        right = self.catcher.users.get(name) == given.password.decode()
        if right:
            session.login = name  # type: ignore[attr-defined]
        return AuthResult(success=right, handled=False)
