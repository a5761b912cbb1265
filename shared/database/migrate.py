"""Schema upgrades with Alembic, configured in code: they run from any working directory.

`python -m shared.database.migrate "what changes"` writes a new revision into migrations/versions.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.database.database import Database

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
# Any number that nothing else in this database uses as an advisory lock.
_ADVISORY_LOCK = 7_315_240_986


def configure(connection: Connection) -> Config:
    """Alembic's configuration for this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Upgrade to the newest revision. Processes that start together take turns; the later ones find it done."""
    with database.read() as connection:
        if _is_newest(connection):
            return
    # SQLite: the write transaction is the lock. PostgreSQL: a lock that ends with the transaction.
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        command.upgrade(configure(connection), "head")


def _is_newest(connection: Connection) -> bool:
    current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def main(message: str) -> None:
    """Write a revision with the differences between the newest schema and `records.py`; read it before use."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/empty.sqlite3")
        upgrade(database)
        with database.write() as connection:
            command.revision(configure(connection), message, autogenerate=True)
        database.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: python -m shared.database.migrate "what changes"')
    main(sys.argv[1])
