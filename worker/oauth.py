"""Access tokens for mailboxes that log in by OAuth 2, renewed before they run out (C-34).

One thread of one process at a time renews a mailbox's token; a new refresh token is on the disk
before the access token that came with it is used. Where the provider does not take the refresh
token any more, the mailbox is paused: a person must log in, and all else goes on.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from config.checkpoint import checkpoint
from config.settings import ConfigurationError, Mailbox, Settings, Smtp
from storage.tokens import StoredToken, TokenStore
from worker.oauth_provider import (
    NAMES,
    NEEDS_LOGIN,
    Grant,
    Refused,
    TokenUnavailable,
    by_client_secret,
    by_refresh_token,
)

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=5)  # renewed when so little is left
# A token that is younger is not renewed again because a mail server refuses it.
JUST_RENEWED = timedelta(minutes=10)
# A paused mailbox asks once more: an account that was locked by mistake may be open again.
ASK_AGAIN = timedelta(days=1)


class LoginNeeded(TokenUnavailable):
    """The mailbox is paused until a person has logged in."""


@dataclass(frozen=True)
class _Way:
    refresh_token: str = field(repr=False)  # empty: the application logs in as itself
    first: str  # hash of the environment's token, once that was tried


class AccessTokens:
    """The access tokens of all mailboxes."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._store = TokenStore(settings.storage.path)
        self._clock = clock

    def for_smtp(self, server: Smtp) -> "TokenLogin | None":
        """The login of the mailbox whose token SMTP uses, too; None: SMTP has a password."""
        if not server.oauth_mailbox:
            return None
        mailbox = self._settings.mailbox(server.oauth_mailbox)
        if mailbox is None:
            raise ConfigurationError(
                f"smtp.oauth_mailbox: no mailbox is named {server.oauth_mailbox!r}"
            )
        return TokenLogin(self, mailbox)

    def current(self, mailbox: Mailbox) -> str:
        """A token that is good for minutes at least; raises TokenUnavailable, LoginNeeded.

        Without ``oauth_client_id`` it is the one in the environment, whatever its age.
        """
        if not mailbox.oauth_client_id:
            return mailbox.secret()
        stored = self.stored(mailbox)
        if stored is not None and self._is_fresh(stored):
            return stored.access_token
        return self._renew(mailbox)

    def renewed(self, mailbox: Mailbox, *, refused: str) -> str | None:
        """Another token than the one that a mail server refused; None where that is of no use."""
        if not mailbox.oauth_client_id:
            return None
        stored = self.stored(mailbox)
        if stored is not None and stored.access_token == refused:
            age = self._clock() - stored.renewed_at
            if timedelta() <= age < JUST_RENEWED:
                return None
        return self._renew(mailbox, refused=refused)

    def keep(self, mailbox: Mailbox, grant: Grant) -> None:
        """Store what a person's login has given."""
        with self._store.replacing(mailbox.name) as save:
            save(self._token(mailbox, grant, login_ends_at=None, first=""))

    def stored(self, mailbox: Mailbox) -> StoredToken | None:
        """What is kept for the mailbox as it is configured now, and not for another account."""
        stored = self._store.read(mailbox.name)
        return stored if stored is not None and stored.login == _login_of(mailbox) else None

    def _renew(self, mailbox: Mailbox, *, refused: str = "") -> str:
        with self._store.replacing(mailbox.name) as save:
            stored = self.stored(mailbox)
            usable = stored is not None and stored.access_token not in ("", refused)
            if stored is not None and usable and self._is_fresh(stored):
                return stored.access_token  # somebody else was first
            way = self._way(mailbox, stored)
            try:
                if way.refresh_token:
                    grant = by_refresh_token(mailbox, way.refresh_token)
                else:
                    grant = by_client_secret(mailbox)
            except Refused as refusal:
                if refusal.code not in NEEDS_LOGIN or not way.refresh_token:
                    raise
                problem = (
                    f"mailbox {mailbox.name!r} is paused: {NAMES[mailbox.oauth]} does not take its "
                    f"refresh token any more ({refusal.said}); log in again by "
                    f"`odzew mailboxes login {mailbox.name}`; the other mailboxes go on"
                )
                save(self._paused(mailbox, way, stored, problem))
                raise LoginNeeded(problem) from None
            except TokenUnavailable:
                if stored is not None and usable and self._clock() < stored.expires_at:
                    return stored.access_token  # still good for a moment
                raise
            checkpoint("CP-44")
            # A provider that says nothing about the end of the login has not changed it.
            ends = None if stored is None or stored.problem else stored.login_ends_at
            save(self._token(mailbox, grant, login_ends_at=ends, first=way.first))
        log.info("token renewed", extra={"mailbox": mailbox.name})
        return grant.access_token

    def _way(self, mailbox: Mailbox, stored: StoredToken | None) -> _Way:
        """The stored refresh token; where there is none or it was refused, the first one."""
        if stored is not None and stored.refresh_token and stored.problem is None:
            return _Way(stored.refresh_token, stored.first)
        first = _first_token(mailbox)
        if first and (stored is None or stored.first != _hash(first)):
            return _Way(first, _hash(first))
        if stored is not None and stored.problem is not None:
            if stored.refused_at is None or self._clock() - stored.refused_at >= ASK_AGAIN:
                return _Way(stored.refresh_token, stored.first)
            raise LoginNeeded(stored.problem)
        if _is_application(mailbox):
            return _Way("", "")
        named = f", or set {mailbox.oauth_token_env}" if mailbox.oauth_token_env else ""
        raise LoginNeeded(
            f"mailbox {mailbox.name!r} is paused: nobody has logged in to "
            f"{NAMES[mailbox.oauth]} for it; do so by `odzew mailboxes login {mailbox.name}`{named}"
        )

    def _is_fresh(self, stored: StoredToken) -> bool:
        lifetime = stored.expires_at - stored.renewed_at
        margin = min(MARGIN, lifetime / 2)
        # A clock that was set back cannot tell the age of a token.
        return bool(stored.access_token) and (
            stored.renewed_at <= self._clock() < stored.expires_at - margin
        )

    def _token(
        self, mailbox: Mailbox, grant: Grant, *, login_ends_at: datetime | None, first: str
    ) -> StoredToken:
        now = self._clock()
        if grant.login_lifetime is not None:
            login_ends_at = now + grant.login_lifetime
        return StoredToken(
            login=_login_of(mailbox),
            refresh_token=grant.refresh_token,
            access_token=grant.access_token,
            renewed_at=now,
            expires_at=now + grant.lifetime,
            login_ends_at=login_ends_at,
            first=first,
        )

    def _paused(
        self, mailbox: Mailbox, way: _Way, stored: StoredToken | None, problem: str
    ) -> StoredToken:
        now = self._clock()
        return StoredToken(
            login=_login_of(mailbox),
            refresh_token=way.refresh_token,
            access_token="",
            renewed_at=now if stored is None else stored.renewed_at,
            expires_at=now,
            first=way.first,
            problem=problem,
            refused_at=now,
        )


class TokenLogin:
    """A mailbox's account, for a server that takes its token."""

    def __init__(self, tokens: AccessTokens, mailbox: Mailbox) -> None:
        self._tokens = tokens
        self._mailbox = mailbox
        self.username = mailbox.username

    def current(self) -> str:
        return self._tokens.current(self._mailbox)

    def renewed(self, *, refused: str) -> str | None:
        return self._tokens.renewed(self._mailbox, refused=refused)


def xoauth2(user: str, token: str) -> bytes:
    """What a client says in AUTH XOAUTH2, before base64."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


def _is_application(mailbox: Mailbox) -> bool:
    """Whether an application logs in as itself: it has a secret, and no token of a person's."""
    return (
        mailbox.oauth == "microsoft"
        and bool(mailbox.oauth_client_secret_env)
        and not mailbox.oauth_token_env
    )


def _first_token(mailbox: Mailbox) -> str:
    return os.environ.get(mailbox.oauth_token_env, "") if mailbox.oauth_token_env else ""


def _login_of(mailbox: Mailbox) -> str:
    parts = (
        mailbox.oauth,
        mailbox.oauth_endpoint,
        mailbox.oauth_tenant,
        mailbox.oauth_client_id,
        mailbox.username,
    )
    return _hash("\n".join(parts))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
