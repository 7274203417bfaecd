"""A copy of everything that is stored, taken while the worker runs, and its way back (D-P11).

The database first, then the files: files are never changed, so those that a row refers to are there
whatever comes meanwhile. A copy takes its name when it is whole.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, update
from sqlmodel import Session, col, select

from config.errors import PermanentError, TemporaryError
from storage.database import Engine, database_file
from storage.instance import get_instance
from storage.tables import OutboxMessage, ReferenceCounter

MANIFEST = "backup.json"
KEPT = ("files", "classifiers")  # below storage.path; the rest can be made again
# Numbers that may have been given to customers after the backup are never given again.
NUMBERS_SKIPPED = 100_000

Progress = Callable[[int], None]  # files copied so far


class BackupError(PermanentError):
    """The backup cannot be made or used; the message says why."""


def back_up(
    engine: Engine, storage: Path, target: Path, *, now: datetime, on_progress: Progress
) -> Path:
    """Copy database and files into a new folder below ``target`` and return it.

    Raises BackupError; a copy that was interrupted lies there as ``.part`` and is never used.
    """
    target.mkdir(parents=True, exist_ok=True)
    final = target / f"odzew-{now:%Y%m%d-%H%M%S}"
    if final.exists():
        raise BackupError(f"{final} exists; wait a second")
    part = Path(tempfile.mkdtemp(prefix=f"{final.name}.", suffix=".part", dir=target))
    database = part / ("database.sqlite" if database_file(engine) else "database.pgdump")
    _dump(engine, database)
    count = 0
    for name in KEPT:
        for source in sorted((storage / name).rglob("*")):
            relative = source.relative_to(storage)
            if source.is_dir() or source.suffix == ".part" or "cache" in relative.parts:
                continue
            copy = part / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            count += 1
            on_progress(count)
    manifest = {"made_at": now.isoformat(), "database": _sha256(database), "files": count}
    (part / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    os.sync()
    part.rename(final)
    return final


def restore(engine: Engine, storage: Path, source: Path) -> None:
    """Bring a copy back into an empty database and storage folder; raises BackupError.

    ``after_restore`` must follow, once the schema is up to date.
    """
    manifest = _manifest(source)
    [database] = source.glob("database.*")
    if _sha256(database) != manifest["database"]:
        raise BackupError(f"{database} is not the file that was written then: it is damaged")
    for row in (storage / "files").glob("*/*") if (storage / "files").exists() else ():
        raise BackupError(f"{row.parent.parent} is not empty; name another storage.path")
    if _has_tables(engine):
        raise BackupError("the database is not empty; name a new one by database.url")
    for name in KEPT:
        if (source / name).exists():
            shutil.copytree(source / name, storage / name, dirs_exist_ok=True)
    _load(engine, database)


def after_restore(session: Session, *, now: datetime) -> int:
    """Make sure that nobody is acknowledged twice; return how many messages a person must decide.

    What waited in the outbox may have gone out after the copy was made: it is ``unknown``. Mail
    that arrived before now and is not in the copy will be read again; its tickets are not
    acknowledged, and their numbers are new.
    """
    instance = get_instance(session)
    instance.restored_at = now
    session.add(instance)
    undecided = session.execute(
        update(OutboxMessage)
        .where(col(OutboxMessage.state).in_(("waiting", "sending")))
        .values(
            state="unknown",
            next_attempt_at=None,
            claimed_until=None,
            problem="D-P11: a backup was restored; it may have been sent since the backup",
        )
        .returning(col(OutboxMessage.id))
    ).all()
    for counter in session.exec(select(ReferenceCounter)):
        counter.last += NUMBERS_SKIPPED
        session.add(counter)
    session.commit()
    return len(undecided)


def _dump(engine: Engine, target: Path) -> None:
    file = database_file(engine)
    if file is None:
        _run("pg_dump", engine, "--format=custom", "--no-owner", f"--file={target}")
        return
    with closing(sqlite3.connect(file)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy, pages=1000)


def _load(engine: Engine, source: Path) -> None:
    file = database_file(engine)
    if file is None:
        name = engine.url.database
        _run(
            "pg_restore",
            engine,
            "--no-owner",
            "--single-transaction",
            "--exit-on-error",
            f"--dbname={name}",
            str(source),
        )
        return
    engine.dispose()
    with closing(sqlite3.connect(source)) as copy, closing(sqlite3.connect(file)) as empty:
        copy.backup(empty)


def _run(program: str, engine: Engine, *options: str) -> None:
    """PostgreSQL's own tools; the password goes by the environment, where no list shows it."""
    url = engine.url
    places: dict[str, object] = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username}
    places |= {"PGPASSWORD": url.password, "PGDATABASE": url.database}
    # libpq's own options, such as a socket folder as host.
    places |= {f"PG{key.upper()}": value for key, value in url.query.items()}
    environment = os.environ | {name: str(value) for name, value in places.items() if value}
    try:
        done = subprocess.run(
            [program, *options], env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BackupError(
            f"{program} is not installed; it comes with PostgreSQL's client programs"
        ) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise TemporaryError(f"{program} failed: {said[:300]}")


def _has_tables(engine: Engine) -> bool:
    file = database_file(engine)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    return bool(inspect(engine).get_table_names())


def _manifest(source: Path) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads((source / MANIFEST).read_bytes())
        if source.name.endswith(".part") or "database" not in content:
            raise ValueError
    except (OSError, ValueError):
        raise BackupError(f"{source} is no finished backup: it has no {MANIFEST}") from None
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
