"""Log lines are JSON with ids, and never the values of a database's statements."""

import json
import subprocess
import sys

from sqlalchemy.exc import OperationalError

from trainer import logs

# In a process of its own: logging belongs to the whole process, and pytest has its own plans for it.
PROGRAM = """
import logging, structlog
from trainer import logs
logs.configure("info")
structlog.contextvars.bind_contextvars(request_id="r-1")
structlog.get_logger("a").info("ours", n=1)
logging.getLogger("celery.worker").warning("theirs %s", 2)
logging.getLogger("celery.app.trace").info("Task succeeded")
logging.getLogger("celery.worker.strategy").info("Task received")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("a").exception("broke")
"""


def test_every_line_is_json_with_the_bound_request_id_and_tasks_are_not_told_twice():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["ours", "theirs 2", "broke"]
    assert {line["request_id"] for line in lines} == {"r-1"}
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert "ZeroDivisionError" in lines[2]["exception"]


def test_a_database_error_is_told_without_its_statement():
    error = OperationalError("UPDATE x SET result=:r", {"r": "a patient"}, Exception("database is locked"))
    assert logs.brief(error) == "OperationalError: (builtins.Exception) database is locked"
