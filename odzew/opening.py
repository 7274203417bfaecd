"""From a configuration to everything that a command needs."""

from pathlib import Path

from config.settings import Settings, load_settings
from config.taxonomy import Taxonomy
from storage.database import Engine, migrate, open_database
from storage.files import FileStore
from worker.context import Context


def open_context(config: Path | None) -> Context:
    """Read the configuration, open the database and bring its schema up to date."""
    return context_for(load_settings(config))


def context_for(settings: Settings) -> Context:
    taxonomy = Taxonomy.load(settings.triage.taxonomy or None)
    engine = open_and_migrate(settings)
    return Context(
        settings=settings,
        taxonomy=taxonomy,
        engine=engine,
        files=FileStore(settings.storage.path),
    )


def open_and_migrate(settings: Settings) -> Engine:
    engine = open_database(settings.database.url)
    migrate(engine)
    return engine
