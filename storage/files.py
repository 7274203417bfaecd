"""Files by the hash of their content: attachments, and raw mails too large for the database."""

import fcntl
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from config.checkpoint import checkpoint
from config.errors import TemporaryError


class StorageFull(TemporaryError):
    """The disk took no more bytes; the work is tried again later."""


class FileStore:
    """A folder of files named by SHA-256; a name that exists has its whole content.

    A file is written under a temporary name, synced and renamed, so a crash leaves at most a
    ``.part`` file, never a half one under its final name. Its writer holds a lock on it, which ends
    with the process: many may write into the folder, and any of them may sweep it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "files"

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def put(self, content: bytes) -> str:
        """Store the bytes durably and return their SHA-256; raises StorageFull."""
        sha256 = hashlib.sha256(content).hexdigest()
        target = self.path(sha256)
        if target.exists():
            return sha256
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(target, content)
            _sync_folder(target.parent)
        except OSError as error:
            raise StorageFull(f"{self.root} cannot be written: {error.strerror}") from error
        return sha256

    def read(self, sha256: str) -> bytes:
        return self.path(sha256).read_bytes()

    def sweep(self) -> int:
        """Remove what a crash left half-written, not what is being written; return how many."""
        return sum(_remove_abandoned(part) for part in self.root.glob("*/*.part"))


def _remove_abandoned(part: Path) -> bool:
    with suppress(OSError), part.open("rb") as file:  # renamed meanwhile, or its writer lives
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        part.unlink()
        return True
    return False


def _write(target: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as file:
        with suppress(OSError):  # a file system without locks: then nobody gets one to sweep
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            file.write(content)
            file.flush()
            checkpoint("CP-05")
            os.fsync(file.fileno())
            checkpoint("CP-06")
            Path(file.name).rename(target)
            checkpoint("CP-07")
        except OSError:
            # On a full disk each attempt would leave as much as there was room for.
            Path(file.name).unlink(missing_ok=True)
            raise


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once the folder itself is synced.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
