"""No statement walks the whole table."""

import re
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.dialects import sqlite

from shared.database.paging import encode_cursor, page_statement
from shared.database.tables import utc_now
from shared.jobs import last_failures, throughput
from shared.jobs import segmentation_statements as sql

CURSOR = encode_cursor(utc_now(), "a")
STATEMENTS = {
    **{name: value for name, value in vars(sql).items() if name.isupper() and hasattr(value, "compile")},
    "COUNT_ENDED": throughput.COUNT_ENDED,
    "NEWEST_TIMINGS": throughput.NEWEST_TIMINGS,
    **last_failures.STATEMENTS,
    **{f"{kind}_of_one": one.filter_by(owner="o") for kind, one in last_failures.STATEMENTS.items()},
    "LIST_ALL": page_statement(sql.LIST, sql.C.created_at, sql.C.id, 10, CURSOR),
    "LIST_ONE": page_statement(sql.LIST.where(sql.C.owner == "o"), sql.C.created_at, sql.C.id, 10, CURSOR),
}
for _not_run in ("TABLE", "ACCEPT", "LIST"):
    STATEMENTS.pop(_not_run)


def _plan(name, path):
    """The steps by which SQLite runs the statement."""
    text = re.sub(r"__\[POSTCOMPILE_\w+\]", "?", str(STATEMENTS[name].compile(dialect=sqlite.dialect())))
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", [None] * text.count("?")).fetchall()
    return [row[3] for row in plan]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_finds_its_rows_by_index(name, sqlite_template):
    steps = _plan(name, sqlite_template)
    assert steps
    # Counting all needs a walk, over the index alone.
    scans = [step for step in steps if step.startswith("SCAN") and "USING COVERING INDEX" not in step]
    assert scans == []


@pytest.mark.parametrize("name", ["COUNT_ENDED", "NEWEST_TIMINGS", "segmentation", "segmentation_of_one"])
def test_what_ended_lately_is_found_without_the_rest(name, sqlite_template):
    assert any(
        "ix_segmentations_ended (status=? AND finished_at>?)" in step for step in _plan(name, sqlite_template)
    )
