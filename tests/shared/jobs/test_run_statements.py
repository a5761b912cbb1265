"""What workers and streams ask every second finds its rows by index, however many runs have ended."""

import pytest
from sqlalchemy import event

from tests.shared.jobs.training import accept, checkpoint


def work_through(runs, clock):
    """Every operation of a run's life."""
    id = accept(runs).id
    claim = runs.claim_next("w", 10)
    runs.renew(claim, 10), runs.progress(claim, {}), runs.epoch(claim, {"epoch": 1})
    runs.checkpoint(claim, checkpoint()), runs.events(id, 1), runs.get(id)
    runs.cancel(id), clock.tick(11), runs.reap(), runs.resume(id)
    runs.list("alice"), runs.list(None), runs.count_by_status()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_statement_walks_the_table_of_runs_or_events(database, runs, clock):
    seen = {}

    def remember(connection, cursor, statement, parameters, context, executemany):
        if not statement.startswith("EXPLAIN"):
            seen[statement] = parameters

    event.listen(database.engine, "before_cursor_execute", remember)
    work_through(runs, clock)
    event.remove(database.engine, "before_cursor_execute", remember)
    assert len(seen) > 15
    walks = set()
    for statement, parameters in seen.items():
        with database.read() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        walks |= {row[3] for row in rows if row[3].startswith("SCAN training")}
    assert (
        walks
        == {
            "SCAN training_runs USING INDEX ix_training_runs_created_at_id",  # one page of everybody's, newest first
            "SCAN training_runs USING COVERING INDEX ix_training_runs_status_created_at",  # counting
        }
    )
