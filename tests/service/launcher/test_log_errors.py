"""Errors of the programs reach the terminal of an embedded run."""

import json
from pathlib import Path

from service.launcher.log_errors import Complaints


def write(log: Path, **entry: str) -> None:
    with log.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def test_the_end_of_an_exception_is_told_once(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    complaints = Complaints([log])
    assert complaints.new() == []
    for _ in range(2):
        write(
            log,
            level="error",
            event="model_not_loaded",
            exception="Traceback:\n  x\nValueError: no such thing",
        )
    assert complaints.new() == ["worker     model_not_loaded: ValueError: no such thing"]
    write(
        log, level="error", event="model_not_loaded", exception="Traceback:\n  y\nValueError: no such thing"
    )
    assert complaints.new() == []


def test_what_was_written_before_and_what_is_no_error_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    write(log, level="error", event="old")
    complaints = Complaints([log])
    write(log, level="info", event="request")
    with log.open("a") as file:
        file.write("plain words, level error\n[1, 2]\n")
    assert complaints.new() == []


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    complaints = Complaints([log])
    log.write_text('{"level": "critical", ')
    assert complaints.new() == []
    with log.open("a") as file:
        file.write('"event": "gone"}\n')
    assert complaints.new() == ["api        gone"]
