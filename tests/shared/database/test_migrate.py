"""The schema: the revisions make what the code expects, from anywhere, and once."""

import ast
import os
import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from shared.database.database import Database
from shared.database.migrate import MIGRATIONS, configure, upgrade
from shared.database.tables import Base


def test_the_revisions_make_exactly_what_the_code_expects(database):
    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_partial_indexes_are_partial(database):
    with database.read() as connection:
        indexes = {i["name"]: i for i in inspect(connection).get_indexes("segmentations")}
    partial = {name for name, index in indexes.items() if any("where" in o for o in index["dialect_options"])}
    assert partial == {
        f"ix_segmentations_{name}" for name in ("to_expire", "to_clean", "to_purge", "volumes", "ended")
    }


def test_there_is_one_newest_revision():
    assert len(ScriptDirectory(str(MIGRATIONS)).get_heads()) == 1


def test_revisions_do_not_depend_on_code_that_changes():
    for path in MIGRATIONS.glob("versions/*.py"):
        tree = ast.walk(ast.parse(path.read_text()))
        imported = {name.name for node in tree if isinstance(node, ast.Import) for name in node.names}
        assert imported == {"sqlalchemy"}, path


def test_upgrading_works_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    database = Database(f"sqlite:///{tmp_path}/a b % c.sqlite3")
    upgrade(database)
    upgrade(database)
    with database.read() as connection:
        assert inspect(connection).has_table("segmentations")
    database.close()


def test_every_revision_can_be_taken_back(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/db.sqlite3")
    upgrade(database)
    with database.write() as connection:
        command.downgrade(configure(connection), "base")
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(database)
    database.close()


UPGRADE = """
import sys
from shared.database.database import Database
from shared.database.migrate import upgrade
print("ready", flush=True)
sys.stdin.readline()
upgrade(Database(sys.argv[1]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """A database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/db.sqlite3"
    url = request.getfixturevalue("postgresql_url")
    database = Database(url)
    with database.write() as connection:
        command.downgrade(configure(connection), "base")
    database.close()
    return url


@pytest.mark.slow
def test_processes_that_start_together_upgrade_once(empty_url, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(MIGRATIONS.parent)}
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_url],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        starter.stdin.write("go\n")
        starter.stdin.flush()
    errors = [starter.communicate(timeout=60)[1] for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 4, errors
