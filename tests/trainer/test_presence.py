"""A worker tells the database that it lives, what it can do, and when it leaves."""

from shared.database.workers import Workers
from trainer.presence import Capabilities, Presence
from trainer.settings import VERSION


def test_a_beat_says_what_the_worker_is_ready_for_now(database):
    workers, models = Workers(database), []
    presence = Presence(workers, "host-1-ab", "inference", lambda: Capabilities("cpu", "fake", models))
    presence.beat()
    models.append("m")
    presence.beat()
    (seen,) = workers.seen("inference")
    assert (seen.id, seen.device, seen.engine, seen.models, seen.version) == (
        "host-1-ab",
        "cpu",
        "fake",
        ["m"],
        VERSION,
    )


def test_a_worker_that_leaves_is_gone(database):
    workers = Workers(database)
    presence = Presence(workers, "host-1-ab", "training", Capabilities)
    presence.beat()
    presence.leave()
    assert workers.seen() == []
