"""Threads that want the same training runs."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from shared.contract.errors import Conflict
from shared.database.models import Models
from shared.jobs.training_runs import TrainingRuns
from tests.shared.jobs.training import accept, card, told


def at_once(*works):
    """Run the works in threads that start together; the first error is raised."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_each_run_is_claimed_exactly_once(runs):
    ids = [accept(runs).id for _ in range(12)]

    def claim_all(worker):
        return lambda: [claim for _ in ids if (claim := runs.claim_next(worker, 60))]

    claims = [claim for mine in at_once(claim_all("a"), claim_all("b")) for claim in mine]
    assert Counter(claim.id for claim in claims) == Counter(ids)
    assert {(claim.fence, claim.attempts, claim.fruitless) for claim in claims} == {(1, 1, 1)}
    assert all(told(runs, id) == ["queued", "running"] for id in ids)


def test_a_lost_run_has_one_new_owner(runs, clock):
    id = accept(runs).id
    for round in range(1, 3):
        claims = at_once(lambda: runs.claim_next("a", 10), lambda: runs.claim_next("b", 10))
        assert [claim.fence for claim in claims if claim] == [round]
        clock.tick(11)
    assert told(runs, id) == ["queued", "running", "running"]


def test_a_run_ends_once_whoever_is_first(database, clock):
    runs = TrainingRuns(database, max_fruitless=3, clock=clock)
    models = Models(database)
    for number in range(10):
        id = accept(runs).id
        claim = runs.claim_next("w", 60)

        def cancel(id=id):
            try:
                return runs.cancel(id)
            except Conflict:
                return None

        done, asked = at_once(
            lambda claim=claim, number=number: runs.succeed(claim, card(f"m{number}"), f"models/m{number}"),
            cancel,
        )
        assert (done, asked) in ((True, None), (False, "cancelling"))
        assert told(runs, id)[2:] == (["succeeded"] if done else ["cancelling", "cancelled"])
        assert (f"m{number}" in {model.id for model in models.list(100).items}) is done


def test_events_of_threads_that_write_together_have_no_gap_and_no_double(runs):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)

    def report():
        for number in range(1, 11):
            assert runs.epoch(claim, {"epoch": number})
            assert runs.renew(claim, 60)

    at_once(report, report)
    assert [event.number for event in runs.events(id)] == list(range(1, 23))
    assert [entry["epoch"] for entry in runs.get(id).epochs] == list(range(1, 11))


def test_only_one_of_two_reapers_tells_of_a_run(runs, clock):
    ids = [accept(runs).id for _ in range(5)]
    while runs.claim_next("w", 10) is not None:
        pass
    for id in ids:
        runs.cancel(id)
    clock.tick(11)
    reaped = [id for mine in at_once(runs.reap, runs.reap) for id in mine]
    assert Counter(reaped) == Counter(ids)
    assert all(told(runs, id)[-2:] == ["cancelling", "cancelled"] for id in ids)
