"""A chore goes on whatever happens, and says so once."""

import threading

import structlog
from structlog.testing import capture_logs

from trainer.periodic import Periodic


def test_a_chore_is_repeated_until_it_is_stopped():
    calls, thrice = [], threading.Event()

    def chore():
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    periodic = Periodic("test", chore, 0.001, jitter=0.5)
    periodic.start()
    assert thrice.wait(10)
    periodic.stop()
    done = len(calls)
    assert threading.active_count() >= 1
    assert len(calls) == done


def test_trouble_is_said_when_it_begins_and_when_it_ends():
    structlog.reset_defaults()
    failing = True

    def chore():
        if failing:
            raise OSError("the database is away")

    periodic = Periodic("test", chore, 1)
    with capture_logs() as lines:
        for _ in range(3):
            periodic.run_once()
        failing = False
        for _ in range(2):
            periodic.run_once()
    assert [line["event"] for line in lines] == ["chore_failed", "chore_works_again"]
    assert "the database is away" in lines[0]["error"]


def test_stopping_what_was_never_started_is_fine():
    Periodic("test", lambda: None, 1).stop()
