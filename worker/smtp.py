"""The SMTP edge: send stored bytes, and know how far the conversation came.

``smtplib`` raises the same error before DATA and after the final dot, so the dialogue is spoken
step by step here: ``before_data`` is called when the server has accepted sender and recipient and
not one byte of the message has been sent. From then on a lost connection means that nobody knows
whether the message arrived (D-P5).
"""

import base64
import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from email.utils import parseaddr

from config.checkpoint import checkpoint
from config.errors import OdzewError, PermanentError, TemporaryError
from config.settings import MailServer
from worker.oauth import TokenLogin, xoauth2
from worker.smtp_replies import BoundedSMTP, BoundedSMTPOverTLS

TIMEOUT_SECONDS = 20
# The server may check the message before it answers the final dot: RFC 5321 §4.5.3.2.6.
FINAL_ANSWER_SECONDS = 600


class ServerUnreachable(TemporaryError):
    """No conversation with the SMTP server: nothing has been sent to anybody."""


class RefusedForNow(TemporaryError):
    """A 4xx answer: the server may take this message later."""


class RefusedForGood(PermanentError):
    """A 5xx answer: the server will not take this message."""


class RecipientRefused(RefusedForGood):
    """A 5xx answer to the recipient: the address is wrong or closed."""


class ServerHadEnough(ServerUnreachable):
    """The connection ended after other messages, before this one: a limit of messages or time."""


class OutcomeUnknown(OdzewError):
    """The connection was lost after the message began: it may have arrived or not."""


class SmtpConnection:
    """An open, logged-in connection for several messages."""

    def __init__(self, client: smtplib.SMTP, server: MailServer) -> None:
        self._client = client
        self._server = server
        self._is_used = False

    def send(
        self, content: bytes, *, sender: str, recipient: str, before_data: Callable[[], None]
    ) -> None:
        """Send one message; returns when the server has taken responsibility for it.

        content: a whole RFC 5322 message; dots are stuffed here.
        Raises ServerHadEnough, ServerUnreachable, RefusedForNow, RefusedForGood, RecipientRefused,
        OutcomeUnknown.
        """
        client = self._client
        self._begin(sender)
        with translated(self._server):
            _expect_recipient(self._readable(client.rcpt(recipient)))
        checkpoint("CP-20")
        before_data()
        with translated(self._server):
            client.putcmd("data")
            answer = self._readable(client.getreply(), range(354, 355))
            if answer[0] != 354:
                _expect(answer, "DATA")
        try:
            stuffed = _stuffed(content)
            client.send(stuffed[: len(stuffed) // 2])
            checkpoint("CP-22")
            client.send(stuffed[len(stuffed) // 2 :])
            checkpoint("CP-23")
            if client.sock is not None:
                client.sock.settimeout(FINAL_ANSWER_SECONDS)
            answer = client.getreply()
            if client.sock is not None:
                client.sock.settimeout(TIMEOUT_SECONDS)
        except (OSError, smtplib.SMTPException) as error:
            client.close()
            raise OutcomeUnknown(
                f"{_where(self._server)}: the connection was lost before the server answered"
            ) from error
        if not 200 <= answer[0] < 600:
            client.close()
            raise OutcomeUnknown(f"{_where(self._server)}: the final answer was no SMTP reply")
        _expect(answer, "message")

    def _begin(self, sender: str) -> None:
        """RSET and MAIL, on a connection that may have come to its end with the last message."""
        client, server = self._client, self._server
        is_first, self._is_used = not self._is_used, True
        try:
            with translated(server):
                answers = [self._readable(client.rset())]
                options = ["BODY=8BITMIME"] if client.has_extn("8bitmime") else []
                answers.append(self._readable(client.mail(sender, options)))
            for code, said in answers:
                if code == 421:  # it is closing the connection, whatever was said: RFC 5321 §3.8
                    client.close()
                    raise ServerUnreachable(f"{_where(server)}: {code} {_text(said)}")
        except ServerUnreachable as error:
            if is_first:
                raise
            raise ServerHadEnough(str(error)) from error
        _expect(answers[-1], "sender")

    def _readable(
        self, answer: tuple[int, bytes], going_on: range = range(200, 300)
    ) -> tuple[int, bytes]:
        """The answer; after one that fits nothing, each later one would be taken for another's."""
        if answer[0] in going_on or 400 <= answer[0] < 600:
            return answer
        self._client.close()
        raise ServerUnreachable(f"{_where(self._server)}: its answer is no SMTP reply")


@contextlib.contextmanager
def connect(server: MailServer, login: TokenLogin | None = None) -> Iterator[SmtpConnection]:
    """Connect, protect the line, log in: by password, or by a token.

    Raises ServerUnreachable, TokenUnavailable.
    """
    token = login.current() if login else ""
    # The domain of the sender serves in EHLO: the name of this machine is nobody's business.
    name = parseaddr(server.sender)[1].rpartition("@")[2] or "localhost"
    with translated(server):
        tls = _tls(server)
        if server.security == "tls":
            client: smtplib.SMTP = BoundedSMTPOverTLS(
                server.host, server.port, name, timeout=TIMEOUT_SECONDS, context=tls
            )
        else:
            client = BoundedSMTP(server.host, server.port, name, timeout=TIMEOUT_SECONDS)
        if client.sock is not None:
            # A message is written in two parts: without this its second waits for the server's
            # delayed acknowledgement of the first, 40 ms a message (RFC 9293 §3.7.4).
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with translated(server):
            if server.security == "starttls":
                client.starttls(context=tls)
            client.ehlo_or_helo_if_needed()
            if login:
                _log_in_by_token(client, server.username or login.username, token, login)
            elif server.username:
                _log_in(client, server.username, server.secret())
        yield SmtpConnection(client, server)
    finally:
        # A message is sent when the server has answered it; how the farewell goes is no matter.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()
        client.close()


def _tls(server: MailServer) -> ssl.SSLContext | None:
    if server.security == "none":
        return None  # to read the machine's authorities takes as long as ten messages
    return ssl.create_default_context(cafile=server.ca_file and str(server.ca_file))


def _log_in(client: smtplib.SMTP, username: str, secret: str) -> None:
    if (username + secret).isascii():
        client.login(username, secret)
        return
    # smtplib takes only ASCII; SASL takes UTF-8 (RFC 4616 §2).
    token = base64.b64encode(f"\0{username}\0{secret}".encode()).decode("ascii")
    code, said = client.docmd("AUTH", f"PLAIN {token}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


def _log_in_by_token(client: smtplib.SMTP, username: str, token: str, login: TokenLogin) -> None:
    """XOAUTH2, once more with a new token where this one is refused (C-34)."""
    try:
        _say_token(client, username, token)
    except smtplib.SMTPAuthenticationError as refusal:
        renewed = login.renewed(refused=token) if refusal.smtp_code >= 500 else None
        if renewed is None:
            raise
        _say_token(client, username, renewed)


def _say_token(client: smtplib.SMTP, username: str, token: str) -> None:
    # A token is too long for the line of the command itself: RFC 4954 §4.
    code, answer = client.docmd("AUTH", "XOAUTH2")
    if code == 334:
        said = base64.b64encode(xoauth2(username, token)).decode("ascii")
        code, answer = client.docmd(said)
    if code == 334:
        # The reason of a refusal, in JSON: an empty line asks for the verdict.
        code, answer = client.docmd("")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, answer)


# Enhanced status codes that say that an address itself is wrong or closed (RFC 3463 §3.2, §3.3).
_WRONG_ADDRESS = re.compile(r"5\.(?:1\.(?:1|2|3|6|10)|2\.1)\b")
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_MAILBOX_FULL = re.compile(r"5\.2\.2\b")


def _expect_recipient(answer: tuple[int, bytes]) -> None:
    """Servers also refuse a sender, a client or relaying at RCPT: that is not the address's fault.

    Only what names the address is RecipientRefused: its enhanced code, or 550 without one. A full
    mailbox may be emptied. Anything else is trouble between the two servers.
    """
    code, text = answer
    said = text.decode("utf-8", "replace")
    if code == 552 or _MAILBOX_FULL.match(said):
        raise RefusedForNow(f"recipient refused for now: {code} {_line(said)}")
    if 500 <= code < 600 and not (
        _WRONG_ADDRESS.match(said) or (code in (550, 553) and not _ENHANCED.match(said))
    ):
        raise RefusedForNow(f"recipient refused, not for its address: {code} {_line(said)}")
    _expect(answer, "recipient", RecipientRefused)


def _line(said: str) -> str:
    return said.replace("\n", " ")[:200]


def _expect(
    answer: tuple[int, bytes], to_what: str, for_good: type[RefusedForGood] = RefusedForGood
) -> None:
    code, text = answer
    if 200 <= code < 300:
        return
    if 400 <= code < 500:
        raise RefusedForNow(f"{to_what} refused for now: {code} {_text(text)}")
    raise for_good(f"{to_what} refused: {code} {_text(text)}")


def _stuffed(content: bytes) -> bytes:
    """Lines end in CRLF, a leading dot is doubled, and a lone dot ends it (RFC 5321 §4.5.2)."""
    text = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = text.removesuffix(b"\n").split(b"\n")
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    return b"\r\n".join([*stuffed, b".", b""])


def _where(server: MailServer) -> str:
    return f"SMTP server {server.host}:{server.port}"


@contextlib.contextmanager
def translated(server: MailServer) -> Iterator[None]:
    where = _where(server)
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise ServerUnreachable(
            f"{where}: the server refused the user name or password ({error.smtp_code}); "
            f"{_login_advice(_text(error.smtp_error))}"
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise ServerUnreachable(
            f"{where}: its certificate is not trusted ({error.verify_message}); "
            "correct smtp.host, or name the authority by smtp.ca_file"
        ) from error
    except smtplib.SMTPResponseException as error:
        raise ServerUnreachable(f"{where}: {error.smtp_code} {_text(error.smtp_error)}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise ServerUnreachable(f"{where}: {str(error) or type(error).__name__}") from error


def _login_advice(said: str) -> str:
    """Microsoft says 5.7.139 where passwords, or SMTP as a whole, are switched off (C-35)."""
    if "SmtpClientAuthentication" in said:
        return "allow authenticated SMTP for this mailbox in the Exchange admin centre"
    if said.startswith("5.7.139"):
        return "it takes no passwords any more: log in by a token, see smtp.oauth_mailbox"
    return "check smtp.username and its secret"


def _text(said: bytes | str) -> str:
    """What a server said, on one line and not too long."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:200]
