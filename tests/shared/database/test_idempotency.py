"""Idempotency keys."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.contract.errors import InvalidFields
from shared.database.idempotency import Idempotency, InProgress, Mismatch, New, Replay


@pytest.fixture
def keys(database, clock):
    return Idempotency(database, clock=clock)


def test_the_first_request_is_new_and_the_next_waits_for_it(keys):
    assert keys.begin("alice", "k", "print") == New()
    assert keys.begin("alice", "k", "print") == InProgress()


def test_the_same_request_again_gets_the_same_resource(keys):
    keys.begin("alice", "k", "print")
    keys.complete("alice", "k", "job1")
    assert keys.begin("alice", "k", "print") == Replay("job1")


def test_other_content_is_a_mismatch_before_and_after_the_end(keys):
    keys.begin("alice", "k", "print")
    assert keys.begin("alice", "k", "other") == Mismatch()
    keys.complete("alice", "k", "job1")
    assert keys.begin("alice", "k", "other") == Mismatch()


def test_owners_do_not_meet(keys):
    keys.begin("alice", "k", "print")
    assert keys.begin("bob", "k", "other") == New()


def test_an_abandoned_key_may_be_used_again(keys):
    keys.begin("alice", "k", "print")
    keys.abandon("alice", "k")
    assert keys.begin("alice", "k", "other") == New()


def test_a_completed_key_cannot_be_abandoned_by_accident(keys):
    keys.begin("alice", "k", "print")
    keys.complete("alice", "k", "job1")
    keys.abandon("alice", "k")
    keys.abandon("alice", "k", made="job2")
    assert keys.begin("alice", "k", "print") == Replay("job1")


def test_a_key_whose_resource_was_taken_back_may_be_used_again(keys):
    keys.begin("alice", "k", "print")
    keys.complete("alice", "k", "job1")
    keys.abandon("alice", "k", made="job1")
    assert keys.begin("alice", "k", "print") == New()


def test_keys_are_kept_a_day(keys, clock):
    keys.begin("alice", "k", "print")
    keys.complete("alice", "k", "job1")
    clock.tick(24 * 3600 - 1)
    assert keys.begin("alice", "k", "print") == Replay("job1")
    clock.tick(1)
    assert keys.begin("alice", "k", "other") == New()


def test_the_key_of_a_killed_request_is_taken_over(keys, clock):
    keys.begin("alice", "k", "print")
    clock.tick(119)
    assert keys.begin("alice", "k", "print") == InProgress()
    clock.tick(1)
    assert keys.begin("alice", "k", "print") == New()


def test_expired_keys_are_purged(keys, clock):
    keys.begin("alice", "old", "print")
    clock.tick(23 * 3600)
    keys.begin("alice", "young", "print")
    clock.tick(3600)
    assert keys.purge() == 1
    assert keys.purge() == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "a\0b", "schlüssel"])
def test_a_key_that_is_not_one_is_named(keys, key):
    with pytest.raises(InvalidFields) as caught:
        keys.begin("alice", key, "print")
    assert "Idempotency-Key" in caught.value.errors


def test_one_of_many_at_once_is_new(keys):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: keys.begin("alice", "k", "print"), range(8)))
    assert Counter(type(answer) for answer in answers) == {New: 1, InProgress: 7}
