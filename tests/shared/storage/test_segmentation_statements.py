"""No statement walks the whole table."""

import re
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.dialects import sqlite

from shared.storage import segmentation_statements as sql
from shared.storage.paging import encode_cursor, page_statement
from shared.storage.records import utc_now

CURSOR = encode_cursor(utc_now(), "a")
STATEMENTS = {
    **{name: value for name, value in vars(sql).items() if name.isupper() and hasattr(value, "compile")},
    "LIST_ALL": page_statement(sql.LIST, sql.C.created_at, sql.C.id, 10, CURSOR),
    "LIST_ONE": page_statement(sql.LIST.where(sql.C.owner == "o"), sql.C.created_at, sql.C.id, 10, CURSOR),
}
for _not_run in ("TABLE", "ACCEPT", "LIST"):
    STATEMENTS.pop(_not_run)


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_finds_its_rows_by_index(name, sqlite_template):
    text = re.sub(r"__\[POSTCOMPILE_\w+\]", "?", str(STATEMENTS[name].compile(dialect=sqlite.dialect())))
    with closing(sqlite3.connect(sqlite_template)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", [None] * text.count("?")).fetchall()
    steps = [row[3] for row in plan]
    assert steps
    # Counting all needs a walk, over the index alone.
    scans = [step for step in steps if step.startswith("SCAN") and "USING COVERING INDEX" not in step]
    assert scans == []
