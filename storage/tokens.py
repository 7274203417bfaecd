"""Refresh and access tokens of mailboxes, one file each in ``<storage.path>/tokens/``.

Files and not rows: without a library for it a row could not be encrypted, and a copy of the
database, which people take and pass on, would hold the key to the mailbox. A file has mode 0600, is
replaced as a whole and synced, and is left out of ``odzew db backup``.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from config.errors import TemporaryError
from storage.files import StorageFull

LOCK_SECONDS = 60  # longer than anybody who holds it asks a provider
ROOM = 64 * 1024  # bytes set aside before a provider is asked; tokens have a few thousand


class TokensUnreadable(TemporaryError):
    """The file of a token cannot be read, or somebody else has held it for a minute."""


class StoredToken(BaseModel):
    """What is known of a mailbox's login; neither printed nor logged."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    login: str = Field(description="hash of the settings that the token was given for")
    refresh_token: str = Field(repr=False, description="empty: an application logs in as itself")
    access_token: str = Field(repr=False, description="empty while the mailbox is paused")
    renewed_at: AwareDatetime
    expires_at: AwareDatetime = Field(description="when the access token ends")
    login_ends_at: AwareDatetime | None = Field(
        default=None, description="when a person must log in again, where the provider tells"
    )
    first: str = Field(default="", description="SHA-256 of the token in the environment, if tried")
    problem: str | None = Field(default=None, description="why the mailbox is paused")
    refused_at: AwareDatetime | None = None


class TokenStore:
    """The tokens of all mailboxes; one thread of one process at a time may replace one."""

    def __init__(self, storage: Path) -> None:
        self._folder = storage / "tokens"

    def read(self, mailbox: str) -> StoredToken | None:
        """The stored token; None where there is none, or where the file is damaged."""
        path = self._path(mailbox)
        try:
            return StoredToken.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokensUnreadable(
                f"{path} cannot be read ({error.strerror}); it must belong to the user who runs "
                "odzew, and so must `odzew mailboxes login`"
            ) from error
        except ValidationError:
            return None

    @contextmanager
    def replacing(self, mailbox: str) -> Iterator[Callable[[StoredToken], None]]:
        """Hold a mailbox's token; what is yielded stores a new one durably.

        The room on the disk is taken beforehand: a provider that has given out a new refresh token
        may not take the old one any more. Raises TokensUnreadable, StorageFull.
        """
        with self._lock(mailbox):
            part = self._folder / f"{quote(mailbox, safe='')}.part"
            try:
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                try:
                    os.posix_fallocate(descriptor, 0, ROOM)
                except OSError:
                    os.close(descriptor)
                    part.unlink()
                    raise
            except OSError as error:
                raise _full(part, error) from error

            def save(token: StoredToken) -> None:
                try:
                    content = token.model_dump_json().encode()
                    os.pwrite(descriptor, content, 0)
                    os.ftruncate(descriptor, len(content))
                    os.fsync(descriptor)
                    part.rename(self._path(mailbox))
                    _sync(self._folder)
                except OSError as error:
                    raise _full(part, error) from error

            try:
                yield save
            finally:
                os.close(descriptor)
                part.unlink(missing_ok=True)

    @contextmanager
    def _lock(self, mailbox: str) -> Iterator[None]:
        """A lock of the kernel's: a process that is killed lets go of it at once."""
        path = self._folder / f"{quote(mailbox, safe='')}.lock"
        lock = FileLock(path, timeout=LOCK_SECONDS, mode=0o600)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise TokensUnreadable(
                f"the token of mailbox {mailbox!r} is being renewed by another thread or process "
                f"for more than {LOCK_SECONDS} seconds"
            ) from None
        except OSError as error:
            raise _full(path, error) from error
        try:
            yield
        finally:
            with suppress(OSError):
                lock.release()

    def _path(self, mailbox: str) -> Path:
        return self._folder / f"{quote(mailbox, safe='')}.json"


def _full(path: Path, error: OSError) -> StorageFull:
    return StorageFull(f"{path} cannot be written: {error.strerror}")


def _sync(folder: Path) -> None:
    # A rename is durable only once the folder itself is synced.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
