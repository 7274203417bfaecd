"""A version of the classifier as one file, to carry to another installation: a plain tar.

What comes in is data of a stranger: only regular files with the names of the manifest are read, up
to a size, nothing is run, and the whole is checked before it gets its name (F-50 to F-53).
"""

import io
import shutil
import tarfile
import tempfile
from pathlib import Path

from config.errors import PermanentError
from models.artifact import MANIFEST, read_manifest, take_place, verify
from models.comparison import frozen_metrics
from models.registry import folder_of, known_version, register
from storage.classifiers import find_version
from storage.database import Session
from storage.tables import ClassifierVersion
from triage.encoder import FILES as ENCODER_FILES
from triage.encoder import encoder_hash

_MOST_FILES = 20
_MOST_BYTES = 512 * 1024 * 1024


class BadExport(PermanentError):
    """The file is no exported version that can be used here; the message says why."""


def export_version(session: Session, name: str, storage: Path, file: Path) -> None:
    """Write a version into a tar file; raises UnknownVersion, or an artifact error."""
    folder = folder_of(known_version(session, name), storage)
    verify(folder)
    names = [MANIFEST, *sorted(read_manifest(folder).files)]
    fresh = file.with_name(f".{file.name}.new")
    try:
        with tarfile.open(fresh, "w") as archive:
            for part in names:
                content = (folder / part).read_bytes()
                entry = tarfile.TarInfo(part)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def import_version(session: Session, file: Path, storage: Path, encoder: Path) -> ClassifierVersion:
    """Check an exported version and register it as a candidate.

    encoder: the folder of the shipped encoder, for a version that has none of its own. Raises
    BadExport, or an artifact error that names the file which is not whole.
    """
    classifiers = storage / "classifiers"
    classifiers.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".import-", dir=classifiers))
    try:
        _unpack(file, scratch)
        verify(scratch)
        manifest = read_manifest(scratch)
        name = manifest.version
        if Path(name).name != name or name.startswith("."):
            raise BadExport(f"{file}: {name!r} cannot be the name of a version")
        if find_version(session, name) is not None:
            raise BadExport(f"{file}: a version {name} is already here")
        if (classifiers / name).exists():
            # Left by an import that was killed before it was registered.
            shutil.rmtree(classifiers / name)
        own = all(part in manifest.files for part in ENCODER_FILES)
        if not own and encoder_hash(encoder) != manifest.encoder_hash:
            raise BadExport(
                f"{file} was trained on encoder {manifest.encoder_hash[:12]}, which is not the one "
                "of this installation; bring both to the same release of odzew"
            )
        # Its own figures are a stranger's claim: the gate goes by what is measured here.
        figures = frozen_metrics(scratch, encoder)
        scratch.chmod(0o755)  # as other versions: the worker may be another user
        take_place(scratch, classifiers / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return register(session, classifiers / name, report=figures)


def _unpack(file: Path, folder: Path) -> None:
    total = 0
    try:
        with tarfile.open(file, "r:") as archive:
            for count, entry in enumerate(archive):
                total += entry.size
                plain = entry.isfile() and Path(entry.name).name == entry.name
                if not plain or count >= _MOST_FILES or total > _MOST_BYTES:
                    raise BadExport(f"{file} holds {entry.name!r}, which is no part of a version")
                content = archive.extractfile(entry)
                assert content is not None  # a regular file
                (folder / entry.name).write_bytes(content.read())
    except (OSError, tarfile.TarError, ValueError) as error:
        raise BadExport(f"{file} cannot be read as an exported version: {error}") from error
    unexpected = {path.name for path in folder.iterdir()} - {MANIFEST}
    if unexpected - read_manifest(folder).files.keys():
        raise BadExport(f"{file} holds files that its manifest does not name")
