"""Workers that show life."""

import pytest

from shared.database.workers import Workers


@pytest.fixture
def workers(database, clock):
    return Workers(database, clock=clock)


def test_a_worker_is_seen_as_it_last_described_itself(workers, clock):
    started = clock.now
    workers.beat("w1", "inference", "cpu", "torch", [], "1.0")
    clock.tick(5)
    workers.beat("w1", "inference", "cpu", "openvino", ["lgg"], "1.0")
    (seen,) = workers.seen("inference")
    assert (seen.id, seen.device, seen.engine, seen.models, seen.version) == (
        "w1",
        "cpu",
        "openvino",
        ["lgg"],
        "1.0",
    )
    assert (seen.started_at, seen.seen_at) == (started, clock.now)


def test_a_silent_worker_is_not_seen(workers, clock):
    workers.beat("w1", "inference", "cpu", "torch", [], "1.0")
    clock.tick(20)
    workers.beat("w2", "inference", "cpu", "torch", [], "1.0")
    assert [w.id for w in workers.seen("inference", within_s=30)] == ["w1", "w2"]
    assert [w.id for w in workers.seen("inference", within_s=10)] == ["w2"]


def test_queues_are_told_apart(workers):
    workers.beat("i", "inference", "cpu", "torch", [], "1.0")
    workers.beat("t", "training", "cpu", "torch", [], "1.0")
    assert [w.id for w in workers.seen("training")] == ["t"]
    assert [w.id for w in workers.seen()] == ["i", "t"]


def test_a_worker_that_stops_in_order_is_forgotten_and_long_dead_ones_with_it(workers, clock):
    workers.beat("dead", "inference", "cpu", "torch", [], "1.0")
    clock.tick(2 * 86400)
    workers.beat("a", "inference", "cpu", "torch", [], "1.0")
    workers.beat("b", "inference", "cpu", "torch", [], "1.0")
    workers.forget("a")
    assert [w.id for w in workers.seen(within_s=10 * 86400)] == ["b"]


def test_what_a_worker_can_begin_encoders_with_is_kept_as_it_last_said(workers):
    for said in (None, [], ["resnet18"], ["*"], None):
        workers.beat("t", "training", "cpu", "none", [], "1.0", encoder_weights=said)
        assert [w.encoder_weights for w in workers.seen("training")] == [said]
