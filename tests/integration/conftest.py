"""What the tests of the steps share: a clock that stands still, and a worker's context."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from config.taxonomy import Taxonomy
from tests.factories import Clock, a_configuration

if TYPE_CHECKING:
    from storage.database import Engine
    from worker.context import Context


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return Taxonomy.load()


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator["Engine"]:
    """A migrated SQLite database, for what does not depend on the kind of database."""
    from storage.database import open_database

    shutil.copy(sqlite_template, tmp_path / "odzew.db")
    engine = open_database(f"sqlite:///{tmp_path / 'odzew.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def make_context(tmp_path: Path, clock: Clock, taxonomy: Taxonomy) -> Callable[..., "Context"]:
    """A worker's context on an engine; the sections of the settings are the test's."""
    from storage.files import FileStore
    from worker.context import Context

    def make(engine: "Engine", **sections: object) -> Context:
        settings = a_configuration(tmp_path, **sections)
        return Context(
            settings=settings,
            taxonomy=taxonomy,
            engine=engine,
            files=FileStore(settings.storage.path),
            clock=clock,
        )

    return make
