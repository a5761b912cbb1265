"""How many segmentations ended lately, and how long pictures took."""

import pytest

from shared.contract.names import SegmentationKind
from shared.jobs.throughput import SAMPLE, Throughput

TIMINGS = {"decode": 1.0, "queue": 2.0, "forward": 10.0, "total": 14.0}


@pytest.fixture
def throughput(database, clock):
    return Throughput(database, clock=clock)


@pytest.fixture
def end(jobs, new):
    """Accepts a job and ends it."""

    def make(failed=False, kind=SegmentationKind.PICTURE, **timings):
        id = jobs.accept(new(kind=kind)).id
        (claim,) = jobs.claim([id], "w", 10)
        assert jobs.fail(claim, "bad", "Bad.") if failed else jobs.finish(claim, {}, {**TIMINGS, **timings})
        return id

    return make


def test_nothing_ended_is_zero_and_no_mean(throughput):
    lately = throughput.lately()
    assert (lately.finished, lately.failed, lately.per_minute, lately.mean_ms) == (0, 0, 0.0, None)


def test_what_ended_within_the_hour_counts_and_the_rate_is_of_the_last_minutes(throughput, end, clock):
    end(), end(failed=True)
    clock.tick(3601)
    end(), end(failed=True)
    clock.tick(301)
    for _ in range(2):
        end()
    lately = throughput.lately()
    assert (lately.window_s, lately.finished, lately.failed) == (3600, 3, 1)
    assert (lately.rate_window_s, lately.per_minute) == (300, 0.4)


def test_jobs_that_wait_or_run_or_were_cancelled_do_not_count(throughput, jobs, new):
    ids = [jobs.accept(new()).id for _ in range(3)]
    jobs.claim(ids[:1], "w", 10)
    jobs.cancel(ids[1])
    assert (throughput.lately().finished, throughput.lately().failed) == (0, 0)


def test_the_mean_is_of_the_newest_pictures(throughput, end, clock):
    end(forward=1000.0)
    for number in range(SAMPLE):
        clock.tick(1)
        end(forward=float(number % 2))
    assert throughput.lately().mean_ms == {"queue": 2.0, "forward": 0.5, "total": 14.0}


def test_volumes_count_and_leave_the_mean_alone(throughput, end):
    end(), end(kind=SegmentationKind.VOLUME, forward=20_000.0)
    lately = throughput.lately()
    assert lately.finished == 2 and lately.mean_ms is not None and lately.mean_ms["forward"] == 10.0


def test_what_was_deleted_was_done_as_well(throughput, end, jobs):
    jobs.delete_pixels(end())
    lately = throughput.lately()
    assert lately.finished == 1 and lately.mean_ms is None


def test_a_step_that_a_worker_did_not_time_counts_for_nothing(throughput, jobs, new):
    (claim,) = jobs.claim([jobs.accept(new()).id], "w", 10)
    jobs.finish(claim, {}, {"total": 3.0})
    assert throughput.lately().mean_ms == {"queue": 0.0, "forward": 0.0, "total": 3.0}
