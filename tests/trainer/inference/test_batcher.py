"""The batcher answers each of many callers, whatever happens to the others in the batch."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.inference.batch_stage import Closed
from trainer.inference.batcher import Batcher


def batcher_of(run, **options):
    made = Batcher("test", run, **{"max_batch": 4, "max_waiting": 100, **options})
    made.start()
    return made


@pytest.fixture
def make():
    made = []

    def build(run, **options):
        made.append(batcher_of(run, **options))
        return made[-1]

    yield build
    for batcher in made:
        batcher.close(10)


def test_many_threads_get_their_own_answers(make):
    batcher = make(lambda items: [item * item for item in items])
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda item: batcher.future(item).result(10), range(500)))
    assert answers == [item * item for item in range(500)]


def test_waiting_items_share_a_call(make):
    sizes, go, busy = [], threading.Event(), threading.Event()

    def run(items):
        busy.set()
        assert go.wait(10)
        sizes.append(len(items))
        return items

    batcher = make(run)
    futures = [batcher.future(0)]
    assert busy.wait(10)
    futures += [batcher.future(item) for item in range(1, 6)]
    go.set()
    assert [future.result(10) for future in futures] == list(range(6))
    assert sizes == [1, 4, 1]


def test_one_bad_item_fails_alone(make):
    def run(items):
        if 3 in items:
            raise ValueError("three")
        return [item + 1 for item in items]

    batcher = make(run, max_batch=8)
    futures = [batcher.future(item) for item in range(6)]
    outcomes = [future.exception(10) or future.result() for future in futures]
    assert outcomes[:3] + outcomes[4:] == [1, 2, 3, 5, 6]
    assert isinstance(outcomes[3], ValueError)


def test_an_item_may_be_answered_with_an_exception_of_its_own(make):
    batcher = make(lambda items: [ValueError(str(item)) if item % 2 else item for item in items])
    assert batcher.future(2).result(10) == 2
    with pytest.raises(ValueError, match="7"):
        batcher.future(7).result(10)


def test_a_wrong_number_of_results_is_an_error_and_not_a_mix_up(make):
    batcher = make(lambda items: [])
    with pytest.raises(RuntimeError, match="0 results for 1 items"):
        batcher.future(1).result(10)


def test_closing_answers_everybody():
    go, busy = threading.Event(), threading.Event()

    def run(items):
        busy.set()
        assert go.wait(10)
        return items

    batcher = batcher_of(run, max_batch=1)
    first = batcher.future(1)
    assert busy.wait(10)
    second = batcher.future(2)
    assert batcher.close(0.01) == [2]
    with pytest.raises(Closed):
        second.result(10)
    go.set()
    assert first.result(10) == 1
    with pytest.raises(Closed):
        batcher.future(3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40), st.integers(1, 7))
def test_whatever_comes_each_item_gets_its_own_answer_and_batches_are_pure(items, max_batch):
    seen = []

    def run(batch):
        seen.append(batch)
        if any(bad for _, (_, bad) in batch):
            raise ArithmeticError("bad")
        return [number for number, _ in batch]

    batcher = batcher_of(run, max_batch=max_batch, key=lambda entry: entry[1][0])
    futures = [batcher.future(entry) for entry in enumerate(items)]
    for number, (future, (_, bad)) in enumerate(zip(futures, items, strict=True)):
        if bad:
            assert isinstance(future.exception(10), ArithmeticError)
        else:
            assert future.result(10) == number
    batcher.close(10)
    assert all(len(batch) <= max_batch and len({key for _, (key, _) in batch}) == 1 for batch in seen)
