"""Connections: settings of SQLite, URLs, transactions, threads, forks."""

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from shared.contract.config import ConfigError
from shared.database.database import Database, create_all, normalise
from shared.database.tables import Audit, utc_now

INSERT = text("INSERT INTO audit (id, at, actor, action, object_id) VALUES (:id, :at, 'a', 'b', 'c')")


def add(connection, id):
    connection.execute(INSERT, {"id": id, "at": str(utc_now())})


def count(database):
    with database.read() as connection:
        return connection.execute(text("SELECT count(*) FROM audit")).scalar_one()


@pytest.fixture
def sqlite(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/new/folder/db.sqlite3")
    create_all(database)
    yield database
    database.close()


def test_sqlite_runs_as_it_should(sqlite):
    with sqlite.read() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30000}


def test_the_file_is_for_its_owner_alone(sqlite):
    with sqlite.write() as connection:
        add(connection, "1")
    path = Path(sqlite.url.database)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_goes_through_psycopg(scheme):
    url = normalise(f"{scheme}://u:p@h:5433/db?sslmode=require")
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h:5433/db?sslmode=require"


def test_a_relative_file_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert normalise("sqlite:///db.sqlite3").database == str(tmp_path / "db.sqlite3")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:hunter2@h/db", "nonsense", ""])
def test_any_other_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigError) as caught:
        normalise(url)
    assert "DATABASE_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_database_that_answers_pings(database):
    database.ping()


def test_a_server_that_is_gone_is_an_operational_error():
    database = Database("postgresql://u@127.0.0.1:1/db")
    with pytest.raises(OperationalError):
        database.ping()


def test_an_error_does_not_repeat_what_was_to_be_written(database):
    with pytest.raises(IntegrityError) as caught, database.write() as connection:
        add(connection, "a-patients-result")
        add(connection, "a-patients-result")
    assert "a-patients-result" not in str(caught.value).partition("[SQL")[2]


def test_a_transaction_is_all_or_nothing(database):
    with pytest.raises(RuntimeError), database.write() as connection:
        add(connection, "1")
        raise RuntimeError
    assert count(database) == 0
    with database.write() as connection:
        add(connection, "1")
    assert count(database) == 1


def test_a_session_commits_and_rolls_back(database):
    def entry():
        return Audit(id="1", at=utc_now(), actor="a", action="b", object_id="c")

    with pytest.raises(RuntimeError), database.session() as session:
        session.add(entry())
        session.flush()
        raise RuntimeError
    assert count(database) == 0
    with database.session() as session:
        session.add(entry())
    assert count(database) == 1


def test_readers_are_not_stopped_by_a_writer(database):
    with database.write() as connection:
        add(connection, "1")
        assert count(database) == 0
    assert count(database) == 1


def test_many_threads_write_without_a_locked_database(database):
    def work(number):
        for step in range(10):
            with database.write() as connection:
                add(connection, f"{number}-{step}")
            count(database)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert count(database) == 160


def test_two_objects_on_one_file_wait_for_each_other(sqlite):
    other = Database(str(sqlite.url))
    written = threading.Event()

    def write_late():
        with other.write() as connection:
            add(connection, "late")
            written.set()

    with sqlite.write() as connection:
        add(connection, "early")
        thread = threading.Thread(target=write_late)
        thread.start()
        assert not written.wait(0.1)
    thread.join(10)
    assert count(sqlite) == 2
    other.close()


def test_a_child_process_gets_connections_of_its_own(sqlite):
    sqlite.ping()
    with sqlite.write():  # a fork in the middle of somebody's write
        child = os.fork()
        if child == 0:
            fresh = sqlite.engine.pool.checkedin() == 0 and not sqlite._turn.locked()
            os._exit(0 if fresh and count(sqlite) == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
