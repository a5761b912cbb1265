"""What failed last."""

import pytest

from shared.jobs.datasets import Datasets, NewDataset
from shared.jobs.evaluations import Evaluations, NewEvaluation
from shared.jobs.last_failures import MOST, Failures
from tests.shared.jobs import training


@pytest.fixture
def failures(database):
    return Failures(database)


@pytest.fixture
def fail(jobs, new, clock):
    """Accepts a segmentation and fails it."""

    def make(**changes):
        id = jobs.accept(new(**changes)).id
        clock.tick(1)
        assert jobs.fail(*jobs.claim([id], "w", 10), "undecodable", "It does not decode.")
        return id

    return make


@pytest.fixture
def one_of_each(database, runs, clock, fail):
    """Ids of a failed segmentation, run, dataset and evaluation, in this order."""
    ids = [fail()]
    clock.tick(1)
    ids.append(training.accept(runs).id)
    runs.fail(runs.claim_next("w", 10), "diverged", "The loss is not a number.")
    clock.tick(1)
    datasets, evaluations = Datasets(database, clock=clock), Evaluations(database, clock=clock)
    ids.append(datasets.accept(NewDataset("alice", "mine", "auto", {}, "r1", folder="f")).id)
    datasets.fail(datasets.claim_next("w", 10), "no_pairs", "There are no pairs.")
    clock.tick(1)
    ids.append(evaluations.accept(NewEvaluation("alice", "lgg", None, "d1", "all", None, "r1")).id)
    evaluations.fail(evaluations.claim_next("w", 10), "dataset_gone", "The dataset is gone.")
    return ids


def test_nothing_failed(failures, jobs, new):
    jobs.finish(*jobs.claim([jobs.accept(new()).id], "w", 10), {}, {})
    assert failures.last(None) == []


def test_failures_of_every_kind_come_newest_first(failures, one_of_each, clock):
    last = failures.last(None)
    assert [each.kind for each in last] == ["evaluation", "dataset", "training_run", "segmentation"]
    assert [each.id for each in last] == one_of_each[::-1]
    assert last[0].at == clock.now and last[0].request_id == "r1"
    assert (last[-1].code, last[-1].message) == ("undecodable", "It does not decode.")


def test_an_owner_sees_their_own(failures, one_of_each, fail):
    other = fail(owner="bob")
    assert [each.id for each in failures.last("bob")] == [other]
    assert {each.id for each in failures.last("alice")} == {*one_of_each}
    assert failures.last("mallory") == []


def test_they_are_few_and_the_newest(failures, fail):
    ids = [fail() for _ in range(MOST + 2)]
    assert [each.id for each in failures.last(None)] == ids[:1:-1]


def test_what_was_deleted_is_not_spoken_of(failures, fail, jobs):
    jobs.delete_pixels(fail())
    assert failures.last(None) == []
