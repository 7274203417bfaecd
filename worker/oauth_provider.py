"""How Google and Microsoft are asked for tokens (RFC 6749; RFC 7636, PKCE; RFC 8628, device code).

Of a refusal only the code is repeated: a provider's own sentence may name the account.
"""

import base64
import hashlib
import http.client
import json
import re
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from config.errors import PermanentError, TemporaryError
from config.settings import ConfigurationError, Mailbox, read_secret

SECONDS = 15  # for each answer of the network
WHOLE_SECONDS = 30  # for a whole answer
MOST_BYTES = 64 * 1024
LONGEST_LIFE = timedelta(days=1)  # of an access token; a longer one is renewed earlier
NAMES = {"google": "Google", "microsoft": "Microsoft"}
MICROSOFT = "https://login.microsoftonline.com"
OUTLOOK = "https://outlook.office365.com"
GOOGLE_SCOPE = "https://mail.google.com/"
# Nobody listens there: the person copies the address out of the browser.
REDIRECT = "http://localhost:47653"
# The grant is over, or a person is wanted: asking again is of no use (RFC 6749 §5.2).
NEEDS_LOGIN = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
LATER = frozenset({"temporarily_unavailable", "server_error"})
ADVICE = {
    "invalid_client": "the client secret or oauth_client_id is wrong, or the secret has run out: "
    "make a new one at the provider",
    "unauthorized_client": "the application lacks a permission, or oauth_tenant is another one's: "
    "see the connecting guide",
    "invalid_scope": "the application lacks the permission for IMAP or SMTP",
}


class TokenUnavailable(TemporaryError):
    """There is no access token just now; the message says what a person can do."""


class Refused(TokenUnavailable):
    """The provider said no; ``code`` is its word for why, such as invalid_grant."""

    def __init__(self, mailbox: Mailbox, code: str, number: str) -> None:
        self.code = code
        self.said = ", ".join(part for part in (code, number) if part)
        advice = ADVICE.get(code, "see the connecting guide")
        super().__init__(f"{_who(mailbox)} gives no token ({self.said}); {advice}")


@dataclass(frozen=True)
class Grant:
    """An answer with tokens."""

    access_token: str = field(repr=False)
    lifetime: timedelta
    refresh_token: str = field(repr=False)  # empty: an application has none
    login_lifetime: timedelta | None  # None: the provider does not say


@dataclass(frozen=True)
class PageLogin:
    """A login in a browser that waits for its code."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class DeviceLogin:
    """A login in any browser, by a short code."""

    url: str
    user_code: str
    device_code: str = field(repr=False)
    interval: timedelta
    lifetime: timedelta


def by_refresh_token(mailbox: Mailbox, refresh_token: str) -> Grant:
    """Raises Refused, TokenUnavailable, as all of these do."""
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    if _is_microsoft(mailbox):
        fields["scope"] = _scope(mailbox)
    grant = _grant(mailbox, fields)
    # Google gives no new one: the old one stays.
    return replace(grant, refresh_token=grant.refresh_token or refresh_token)


def by_client_secret(mailbox: Mailbox) -> Grant:
    """The application logs in as itself, by the roles IMAP.AccessAsApp and SMTP.SendAsApp."""
    if not mailbox.oauth_tenant:
        raise ConfigurationError(
            f"mailbox {mailbox.name!r}: an application that logs in as itself needs oauth_tenant, "
            "the id of your organisation"
        )
    scope = f"{_resource(mailbox)}/.default"
    return _grant(mailbox, {"grant_type": "client_credentials", "scope": scope})


def start_page_login(mailbox: Mailbox) -> PageLogin:
    """The page on which a person agrees."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    fields = {
        "client_id": mailbox.oauth_client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": _scope(mailbox),
        "state": state,
        "code_challenge": challenge.rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "login_hint": mailbox.username,
    }
    if _is_microsoft(mailbox):
        page = f"{_authority(mailbox)}/authorize"
    else:
        # Only so does Google give a refresh token, also at a second login.
        fields |= {"access_type": "offline", "prompt": "consent"}
        page = (
            f"{mailbox.oauth_endpoint}/auth"
            if mailbox.oauth_endpoint
            else "https://accounts.google.com/o/oauth2/v2/auth"
        )
    return PageLogin(f"{page}?{urlencode(fields)}", state, verifier)


def finish_page_login(mailbox: Mailbox, login: PageLogin, address: str) -> Grant:
    """address: of the page to which the browser was sent at the end."""
    given = {key: values[0] for key, values in parse_qs(urlsplit(address.strip()).query).items()}
    if given.get("state") != login.state:
        raise PermanentError("this is not the address of the last page of this login; copy it all")
    if "code" not in given:
        raise Refused(mailbox, _word(given.get("error")), _number(given.get("error_description")))
    return _grant(
        mailbox,
        {
            "grant_type": "authorization_code",
            "code": given["code"],
            "redirect_uri": REDIRECT,
            "code_verifier": login.verifier,
        },
    )


def start_device_login(mailbox: Mailbox) -> DeviceLogin:
    """Only Microsoft: Google's device codes are not for mail."""
    answer = _ask(
        mailbox,
        f"{_authority(mailbox)}/devicecode",
        {"client_id": mailbox.oauth_client_id, "scope": _scope(mailbox)},
    )
    try:
        return DeviceLogin(
            url=str(answer["verification_uri"]),
            user_code=str(answer["user_code"]),
            device_code=str(answer["device_code"]),
            interval=timedelta(seconds=_seconds(answer.get("interval"), 5)),
            lifetime=timedelta(seconds=_seconds(answer.get("expires_in"), 900)),
        )
    except KeyError:
        raise _no_oauth(mailbox) from None


def finish_device_login(
    mailbox: Mailbox, login: DeviceLogin, *, wait: Callable[[float], None]
) -> Grant:
    """Asks until the person has agreed; wait: lets so many seconds pass."""
    fields = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": login.device_code,
    }
    interval, waited = login.interval, timedelta()
    while waited <= login.lifetime:
        wait(interval.total_seconds())
        waited += interval
        try:
            return _grant(mailbox, fields)
        except Refused as refusal:
            if refusal.code != "authorization_pending":
                raise
        except _SlowDown:
            interval += timedelta(seconds=5)
    raise PermanentError("nobody entered the code in time; begin again")


class _SlowDown(TokenUnavailable):
    """Asked too often (RFC 8628 §3.5)."""


def _grant(mailbox: Mailbox, fields: dict[str, str]) -> Grant:
    known = {"client_id": mailbox.oauth_client_id}
    if mailbox.oauth_client_secret_env:
        known["client_secret"] = read_secret(
            mailbox.oauth_client_secret_env, None, owner=f"mailbox {mailbox.name!r}"
        )
    if _is_microsoft(mailbox):
        url = f"{_authority(mailbox)}/token"
    else:
        url = f"{mailbox.oauth_endpoint or 'https://oauth2.googleapis.com'}/token"
    answer = _ask(mailbox, url, known | fields)
    access, refresh = answer.get("access_token"), answer.get("refresh_token", "")
    if not _is_token(access) or not (refresh == "" or _is_token(refresh)):
        raise _no_oauth(mailbox)
    lifetime = timedelta(seconds=_seconds(answer.get("expires_in"), 3600))
    ends = answer.get("refresh_token_expires_in")
    return Grant(
        access_token=str(access),
        lifetime=min(lifetime, LONGEST_LIFE),
        refresh_token=str(refresh),
        login_lifetime=None if ends is None else timedelta(seconds=_seconds(ends, 0)),
    )


def _ask(mailbox: Mailbox, url: str, fields: Mapping[str, str]) -> dict[str, Any]:
    status, body = _post(mailbox, url, fields)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if status >= 500 or status == 429 or not isinstance(answer, dict):
        raise TokenUnavailable(f"{_who(mailbox)} answered {status} without a token; tried again")
    if status == 200:
        return answer
    code = _word(answer.get("error"))
    if code == "slow_down":
        raise _SlowDown(f"{_who(mailbox)} wants to be asked less often")
    if code in LATER:
        raise TokenUnavailable(f"{_who(mailbox)} has trouble of its own ({code}); tried again")
    raise Refused(mailbox, code, _number(answer.get("error_description")))


def _post(mailbox: Mailbox, url: str, fields: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and body; redirects are not followed, for a secret goes where it was meant to."""
    request = Request(url, urlencode(fields).encode(), {"Accept": "application/json"})
    opener = build_opener(_NoRedirect(), HTTPSHandler(context=ssl.create_default_context()))
    end = time.monotonic() + WHOLE_SECONDS
    try:
        try:
            response = opener.open(request, timeout=SECONDS)
        except HTTPError as refusal:
            response = refusal
        with response:
            body = b""
            while len(body) <= MOST_BYTES and (part := response.read1(4096)):
                body += part
                if time.monotonic() > end:
                    raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        said = "no answer in time" if isinstance(reason, TimeoutError) else _brief(reason)
        # Not ``from error``: what a library remembers of a request may be its body.
        raise TokenUnavailable(f"{_who(mailbox)} cannot be asked for a token: {said}") from None
    return int(response.status or 0), body[:MOST_BYTES]


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _scope(mailbox: Mailbox) -> str:
    if not _is_microsoft(mailbox):
        return GOOGLE_SCOPE
    resource = _resource(mailbox)
    return f"{resource}/IMAP.AccessAsUser.All {resource}/SMTP.Send offline_access"


def _resource(mailbox: Mailbox) -> str:
    # Microsoft's national clouds have their own; there it is the name of the mail server.
    return f"https://{mailbox.host}" if mailbox.oauth_endpoint else OUTLOOK


def _authority(mailbox: Mailbox) -> str:
    tenant = mailbox.oauth_tenant or "organizations"
    return f"{mailbox.oauth_endpoint or MICROSOFT}/{tenant}/oauth2/v2.0"


def _is_microsoft(mailbox: Mailbox) -> bool:
    return mailbox.oauth == "microsoft"


def _who(mailbox: Mailbox) -> str:
    return f"mailbox {mailbox.name!r}: {NAMES[mailbox.oauth]}"


def _no_oauth(mailbox: Mailbox) -> TokenUnavailable:
    return TokenUnavailable(
        f"{_who(mailbox)} gave an answer that is no token; check oauth_endpoint and oauth_tenant"
    )


def _is_token(value: object) -> bool:
    """RFC 6749 appendix A.12: visible ASCII; so it can break neither a header nor a command."""
    return isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]{1,20000}", value) is not None


def _seconds(value: object, default: int) -> int:
    """A number of seconds, also where it is written as text."""
    text = str(value)
    return int(text) if re.fullmatch(r"\d{1,9}", text) else default


def _word(code: object) -> str:
    found = re.fullmatch(r"[a-z_]{1,40}", str(code))
    return found[0] if found else "no reason given"


def _number(description: object) -> str:
    """Microsoft's number of the reason, which its pages explain."""
    found = re.search(r"\bAADSTS\d{1,10}\b", str(description))
    return found[0] if found else ""


def _brief(reason: object) -> str:
    return " ".join(str(reason).split())[:200] or type(reason).__name__
