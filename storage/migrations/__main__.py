"""Writes a new migration: ``python -m storage.migrations "add team"`` (or ``make migration``).

Compares the tables in the code with what the migrations so far make, on an empty database that is
thrown away. Read what it wrote: Alembic sees no renames and no changes of data.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config

from storage.database import MIGRATIONS, open_database


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m storage.migrations",
        description="Write a new migration from the difference between tables and migrations.",
    )
    parser.add_argument("name", help="what it does, in a few words: add team")
    name = parser.parse_args().name
    with TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'odzew.db'}")
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            command.revision(config, message=name, autogenerate=True)
        engine.dispose()


if __name__ == "__main__":
    main()
