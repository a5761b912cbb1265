"""Claimed jobs are done one after the other, whatever becomes of one of them."""

import threading

import pytest
from structlog.testing import capture_logs

from tests.fakes.launch import until
from trainer.jobs import claim_loop
from trainer.jobs.claim_loop import ClaimLoop


class Bench:
    """A queue of jobs; what is done with each is the test's."""

    def __init__(self):
        self.due, self.done, self.sweeps = [], [], 0
        self.loop = ClaimLoop("jobs", self.claim, self.do, self.sweep, look_every_s=30)

    def claim(self):
        return self.due.pop(0) if self.due else None

    def do(self, job):
        if isinstance(job, Exception):
            raise job
        self.done.append(job)

    def sweep(self):
        self.sweeps += 1

    def add(self, *jobs):
        self.due += jobs
        self.loop.wake()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.loop.stop(5)


def test_all_that_is_due_is_done_in_order_and_nothing_is_waited_for(bench):
    bench.add(1, 2, 3)
    bench.loop.start()
    until(lambda: bench.done == [1, 2, 3], 5)
    bench.add(4)
    until(lambda: bench.done == [1, 2, 3, 4], 5)


def test_it_sweeps_now_and_then(bench):
    bench.add(1, 2)
    bench.loop.start()
    until(lambda: bench.done == [1, 2], 5)
    assert bench.sweeps == 1


def test_one_that_breaks_does_not_stop_the_next_and_the_same_trouble_is_said_once(bench, monkeypatch):
    monkeypatch.setattr(claim_loop, "TROUBLE_S", 0.01)
    bench.add(OSError("away"), OSError("away"), ValueError("else"), 1, OSError("away"), 2)
    with capture_logs() as said:
        bench.loop.start()
        until(lambda: bench.done == [1, 2], 5)
    assert [line["error"] for line in said] == ["OSError: away", "ValueError: else", "OSError: away"]


def test_the_job_under_way_hears_that_the_worker_stops(bench):
    begun, left = threading.Event(), threading.Event()

    def do(job):
        begun.set()
        until(lambda: bench.loop.stopping, 5)
        left.set()

    bench.loop = ClaimLoop("jobs", bench.claim, do)
    bench.add(1, 2)
    bench.loop.start()
    assert begun.wait(5)
    bench.loop.stop(5)
    assert left.is_set() and bench.due == [2]


def test_one_that_was_never_started_can_be_stopped(bench):
    bench.loop.stop(5)
