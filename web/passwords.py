"""Passwords: which are good enough, how they are hashed and verified (F-01)."""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from config.errors import PermanentError

MIN_CHARACTERS = 12
MAX_BYTES = 256

# argon2id, 64 MiB, two passes: above OWASP's least (19 MiB, t = 2, p = 1), some 80 ms.
_hasher = PasswordHasher(time_cost=2, memory_cost=64 * 1024, parallelism=1)

# A burst of sign-ins must not take the memory of the machine: two hashes at a time.
_at_work = threading.BoundedSemaphore(2)

# Long enough for the rule, and still among the first guesses.
_COMMON = (
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456123456",
    "123123123123",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwerty123456",
    "qwerty1234567",
    "1q2w3e4r5t6y",
    "password1234",
    "password12345",
    "passwordpassword",
    "administrator",
    "administrator1",
    "haslo1234567",
    "haslo123haslo",
    "hasłohasło12",
    "zaq12wsxcde3",
    "zaq12wsxzaq12wsx",
    "polska123456",
    "reklamacje123",
)


class PasswordRefusedError(PermanentError):
    """The password is not good enough; ``reason`` is short, long, common or personal."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def hash_password(password: str, *, email: str) -> str:
    """The argon2id hash to store; raises PasswordRefusedError.

    Any characters may be used; equal-looking ones are made equal (NFKC).
    """
    text = _normal(password)
    if len(text) < MIN_CHARACTERS:
        raise PasswordRefusedError("short", f"a password has at least {MIN_CHARACTERS} characters")
    if len(text.encode()) > MAX_BYTES:
        raise PasswordRefusedError("long", f"a password has at most {MAX_BYTES} bytes")
    if text.casefold() in _COMMON or len(set(text)) < 4:
        raise PasswordRefusedError("common", "this password is among the first that are guessed")
    if text.casefold() in (email.casefold(), email.casefold().partition("@")[0]):
        raise PasswordRefusedError("personal", "a password must not be the e-mail address")
    with _at_work:
        return _hasher.hash(text)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed.

    None, for a person without a password or nobody at all, takes as long and is never right.
    """
    text = _normal(password)
    if len(text.encode()) > MAX_BYTES:
        return False
    with _at_work:
        try:
            stored = _NOBODYS if password_hash is None else password_hash
            return _hasher.verify(stored, text) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


_NOBODYS = _hasher.hash("nobody has this password")
