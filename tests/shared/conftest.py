"""The same tests over SQLite and, where one can be had, PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from shared.database.database import Database
from shared.database.migrate import upgrade
from shared.database.tables import Base
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs
from shared.jobs.training_runs import TrainingRuns
from tests.shared import postgres


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A migrated, empty file to copy: a migration for each test would take most of the time."""
    path = tmp_path_factory.mktemp("template") / "empty.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """DATABASE_TEST_URL, or a server of our own."""
    url = os.environ.get("DATABASE_TEST_URL")
    if url:
        yield url
        return
    found = postgres.binaries()
    if found is None:
        pytest.skip("no PostgreSQL: set DATABASE_TEST_URL, or install Debian's postgresql")
    with postgres.running(found) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server) -> str:
    """A migrated database; tests empty it."""
    database = Database(postgresql_server)
    upgrade(database)
    database.close()
    return postgresql_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    """A migrated, empty database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.sqlite3")
        return f"sqlite:///{tmp_path}/test.sqlite3"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    database = Database(database_url)
    if not database.is_sqlite:
        with database.write() as connection:
            tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
            connection.execute(text(f"TRUNCATE {tables}"))
    yield database
    database.close()


@pytest.fixture
def jobs(database, clock) -> SegmentationJobs:
    return SegmentationJobs(database, max_attempts=3, clock=clock)


@pytest.fixture
def runs(database, clock) -> TrainingRuns:
    return TrainingRuns(database, max_fruitless=3, clock=clock)


@pytest.fixture
def new():
    """Makes jobs to accept."""

    def make(**changes) -> NewSegmentation:
        fields = {"owner": "alice", "request_id": "r1", "image": {"width": 256}, "model_id": "lgg"}
        return NewSegmentation(**{**fields, **changes})

    return make
