"""A stage hands on what waits, in order, without waiting for more."""

import threading

import pytest

from trainer.inference.batch_stage import BatchStage, Closed


class Recorder:
    """Remembers batches; can be held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()
        self.busy = threading.Event()

    def __call__(self, batch):
        self.busy.set()
        assert self.go.wait(10)
        self.batches.append(batch)


def stage_of(handle, **options):
    return BatchStage("test", handle, **{"max_batch": 4, "max_waiting": 100, **options})


def held(**options):
    """A stage whose thread is busy with item 0, and what it does."""
    recorder = Recorder()
    recorder.go.clear()
    stage = stage_of(recorder, **options)
    stage.start()
    stage.put(0)
    assert recorder.busy.wait(10)
    return stage, recorder


def test_what_waits_is_taken_together_and_in_order():
    stage, recorder = held()
    for item in range(1, 8):
        stage.put(item)
    recorder.go.set()
    assert stage.close(10) == []
    assert recorder.batches == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_a_batch_has_one_key_and_the_others_keep_their_order():
    stage, recorder = held(key=lambda item: item % 2)
    for item in (1, 2, 3, 4, 5):
        stage.put(item)
    recorder.go.set()
    stage.close(10)
    assert recorder.batches == [[0], [1, 3, 5], [2, 4]]


def test_the_largest_batch_may_depend_on_its_first_item():
    stage, recorder = held(max_batch=lambda item: 3 if item == 1 else 1)
    for item in (1, 2, 3, 4, 5):
        stage.put(item)
    recorder.go.set()
    stage.close(10)
    assert recorder.batches == [[0], [1, 2, 3], [4], [5]]


def test_a_full_queue_holds_the_caller_until_there_is_room():
    stage, recorder = held(max_waiting=1)
    stage.put(1)
    assert not stage.wait_for_room(0.01)
    putting = threading.Thread(target=stage.put, args=(2,))
    putting.start()
    putting.join(0.05)
    assert putting.is_alive()
    recorder.go.set()
    putting.join(10)
    stage.close(10)
    assert sum(recorder.batches, []) == [0, 1, 2]


def test_one_may_queue_more_than_there_is_room_for_when_one_must_not_wait():
    stage, recorder = held(max_waiting=1)
    stage.put_anyway(1)
    stage.put_anyway(2)
    recorder.go.set()
    assert stage.wait_for_room(10)
    stage.close(10)


def test_a_closed_stage_takes_nothing():
    stage = stage_of(Recorder())
    stage.start()
    stage.close(10)
    with pytest.raises(Closed):
        stage.put(1)
    with pytest.raises(Closed):
        stage.put_anyway(1)
    assert stage.wait_for_room(0)


def test_closing_wakes_those_who_wait_for_room():
    stage, recorder = held(max_waiting=1)
    stage.put(1)
    refused = []

    def late():
        try:
            stage.put(2)
        except Closed:
            refused.append(2)

    putting = threading.Thread(target=late)
    putting.start()
    stage.close(0)
    putting.join(10)
    assert refused == [2]
    recorder.go.set()


def test_what_could_not_be_begun_in_time_comes_back():
    stage, recorder = held()
    stage.put(1)
    stage.put(2)
    assert stage.close(0.01) == [1, 2]
    recorder.go.set()


def test_a_handler_that_raises_does_not_end_the_thread():
    batches = []

    def handle(batch):
        batches.append(batch)
        if batch == [0]:
            raise RuntimeError("once")

    stage = stage_of(handle, max_batch=1)
    stage.start()
    stage.put(0)
    stage.put(1)
    stage.close(10)
    assert batches == [[0], [1]]
