"""What the API, the worker and the reconciler can do with a job, one after the other."""

from datetime import timedelta

import pytest

from shared.contract.errors import InvalidFields, NotFound
from shared.database.idempotency import Idempotency, Replay
from shared.jobs.segmentations import Finished, SegmentationJobs

RESULT = {"tumor_detected": True, "mask": {"counts": "abc"}}


def accept(jobs, new, count=1, **changes):
    return [jobs.accept(new(**changes)).id for _ in range(count)]


# --- accept, get, list -----------------------------------------------------------------------------


def test_what_accept_returns_is_what_get_reads(jobs, new):
    accepted = jobs.accept(
        new(alias="default", threshold=0.4, image={"format": "TIFF", "spacing": [0.5, 0.5]})
    )
    assert jobs.get(accepted.id) == accepted
    assert (accepted.status, accepted.progress, accepted.attempts) == ("queued", 0.0, 0)
    assert not accepted.ended
    assert not accepted.gone


def test_times_come_back_in_utc_to_the_microsecond(jobs, new, clock):
    view = jobs.get(jobs.accept(new(retention=timedelta(hours=2))).id)
    assert view.created_at == clock.now
    assert view.created_at.utcoffset() == timedelta(0)
    assert view.expires_at == clock.now + timedelta(hours=2)


def test_ids_are_unguessable(jobs, new):
    ids = accept(jobs, new, 50)
    assert len(set(ids)) == 50
    assert all(len(id) == 32 for id in ids)


def test_an_unknown_id_is_not_found(jobs):
    with pytest.raises(NotFound):
        jobs.get("nope")


def test_another_owners_job_is_not_found(jobs, new):
    (id,) = accept(jobs, new, owner="alice")
    assert jobs.get(id, owner="alice").id == id
    with pytest.raises(NotFound):
        jobs.get(id, owner="mallory")


def test_lists_are_newest_first_and_page_without_a_gap(jobs, new, clock):
    ids = []
    for number in range(7):
        ids += accept(jobs, new)
        clock.tick(number % 2)  # some at the very same time
    seen, cursor = [], None
    while True:
        page = jobs.list("alice", 3, cursor)
        seen += page.items
        cursor = page.next
        if cursor is None:
            break
    assert sorted(v.id for v in seen) == sorted(ids)
    assert [v.created_at for v in seen] == sorted((v.created_at for v in seen), reverse=True)


def test_a_new_job_does_not_shift_the_next_page(jobs, new, clock):
    ids = []
    for _ in range(4):
        ids += accept(jobs, new)
        clock.tick(1)
    first = jobs.list("alice", 2)
    accept(jobs, new)
    second = jobs.list("alice", 2, first.next)
    assert [v.id for v in first.items + second.items] == ids[::-1]
    assert second.next is None


def test_a_list_shows_ones_own_and_admin_sees_all(jobs, new):
    (a,), (b,) = accept(jobs, new, owner="alice"), accept(jobs, new, owner="bob")
    assert [v.id for v in jobs.list("bob").items] == [b]
    assert {v.id for v in jobs.list(None).items} == {a, b}


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_named(jobs, limit):
    with pytest.raises(InvalidFields) as caught:
        jobs.list("alice", limit)
    assert "limit" in caught.value.errors


def test_a_broken_cursor_is_named(jobs):
    with pytest.raises(InvalidFields) as caught:
        jobs.list("alice", 10, "garbage!")
    assert "cursor" in caught.value.errors


def test_waiting_jobs_are_counted(jobs, new):
    a, *_ = accept(jobs, new, 3)
    jobs.claim([a], "w", 10)
    assert jobs.queued_count() == 2


def test_jobs_are_counted_by_status_without_what_is_gone(jobs, new):
    a, b, *_ = accept(jobs, new, 5)
    jobs.claim([a], "w", 10)
    jobs.delete_pixels(b)
    assert jobs.count_by_status() == {"queued": 3, "running": 1}


def test_a_job_whose_message_could_not_be_sent_leaves_no_trace(jobs, new):
    (id,) = accept(jobs, new)
    assert jobs.discard(id)
    with pytest.raises(NotFound):
        jobs.get(id)


def test_a_job_that_a_worker_has_cannot_be_taken_back(jobs, new):
    (id,) = accept(jobs, new)
    jobs.claim([id], "w", 10)
    assert not jobs.discard(id)
    assert jobs.get(id).status == "running"


def test_accepting_completes_the_idempotency_key(database, jobs, new, clock):
    keys = Idempotency(database, clock=clock)
    keys.begin("alice", "k", "print")
    view = jobs.accept(new(), idempotency_key="k")
    assert keys.begin("alice", "k", "print") == Replay(view.id)


# --- claim, renew, finish, fail, release -------------------------------------------------------------


def test_a_claim_carries_what_the_worker_needs(jobs, new, clock):
    view = jobs.accept(new(threshold=0.3, alias="default", request_id="req-9"))
    clock.tick(2)
    (claim,) = jobs.claim([view.id], "w1", 10)
    assert (claim.id, claim.fence, claim.attempts, claim.lease_owner) == (view.id, 1, 1, "w1")
    assert (claim.image, claim.model_id, claim.alias, claim.threshold) == (
        {"width": 256},
        "lgg",
        "default",
        0.3,
    )
    assert (claim.request_id, claim.created_at) == ("req-9", view.created_at)
    assert claim.lease_until == clock.now + timedelta(seconds=10)
    running = jobs.get(view.id)
    assert (running.status, running.started_at) == ("running", clock.now)


def test_a_batch_is_claimed_in_the_order_asked_for(jobs, new):
    ids = accept(jobs, new, 5)
    wanted = [ids[3], "unknown", ids[0], ids[4]]
    assert [c.id for c in jobs.claim(wanted, "w", 10)] == [ids[3], ids[0], ids[4]]


def test_claiming_nothing_is_nothing(jobs):
    assert jobs.claim([], "w", 10) == []
    assert jobs.renew("w", [], 10) == set()
    assert jobs.finish_many([]) == []
    assert jobs.mark_enqueued([]) == []


def test_the_same_message_twice_does_the_work_once(jobs, new):
    (id,) = accept(jobs, new)
    assert len(jobs.claim([id], "w1", 10)) == 1
    assert jobs.claim([id], "w2", 10) == []


def test_a_finished_job_has_its_result(jobs, new, clock):
    (id,) = accept(jobs, new)
    (claim,) = jobs.claim([id], "w", 10)
    clock.tick(1)
    warnings = [{"code": "unlike_training_data", "detail": "…"}]
    assert jobs.finish(claim, RESULT, {"forward": 9.5}, warnings)
    view = jobs.get(id)
    assert (view.status, view.progress, view.finished_at) == ("succeeded", 1.0, clock.now)
    assert (view.result, view.timings, view.warnings) == (RESULT, {"forward": 9.5}, warnings)
    assert view.lease_until is None
    assert view.ended


def test_a_stale_worker_changes_nothing_and_is_told(jobs, new, clock):
    (id,) = accept(jobs, new)
    (old,) = jobs.claim([id], "w1", 10)
    clock.tick(11)
    (current,) = jobs.claim([id], "w2", 10)
    assert (current.fence, current.attempts) == (2, 2)
    before = jobs.get(id)
    assert not jobs.finish(old, {"wrong": True}, {})
    assert not jobs.fail(old, "inference_failed", "no")
    assert jobs.release([old]) == 0
    assert jobs.renew("w1", [old], 10) == set()
    assert jobs.get(id) == before
    assert jobs.finish(current, RESULT, {})


def test_a_worker_that_took_its_own_job_again_cannot_renew_the_old_claim(jobs, new, clock):
    (id,) = accept(jobs, new)
    (old,) = jobs.claim([id], "w", 10)
    clock.tick(11)
    (current,) = jobs.claim([id], "w", 10)
    assert jobs.renew("w", [old], 10) == set()
    assert jobs.renew("w", [current], 10) == {id}


def test_a_late_worker_that_nobody_replaced_may_still_finish(jobs, new, clock):
    (id,) = accept(jobs, new)
    (claim,) = jobs.claim([id], "w", 10)
    clock.tick(60)
    assert jobs.finish(claim, RESULT, {})


def test_a_batch_ends_each_on_its_own(jobs, new, clock):
    ids = accept(jobs, new, 3)
    claims = jobs.claim(ids, "w", 10)
    jobs.cancel(ids[1])
    assert jobs.finish_many([Finished(c, {"n": n}) for n, c in enumerate(claims)]) == [True, False, True]
    assert [jobs.get(id).status for id in ids] == ["succeeded", "cancelled", "succeeded"]
    assert jobs.get(ids[2]).result == {"n": 2}


def test_a_result_that_is_not_json_changes_nothing(jobs, new):
    ids = accept(jobs, new, 2)
    good, bad = jobs.claim(ids, "w", 10)
    with pytest.raises(ValueError, match="not JSON compliant"):
        jobs.finish_many([Finished(good, {"a": 1}), Finished(bad, {"a": float("nan")})])
    assert [jobs.get(id).status for id in ids] == ["running", "running"]


def test_a_failed_job_says_why(jobs, new):
    (id,) = accept(jobs, new)
    (claim,) = jobs.claim([id], "w", 10)
    assert jobs.fail(claim, "pixels_gone", "They are gone")
    view = jobs.get(id)
    assert (view.status, view.error) == ("failed", {"code": "pixels_gone", "message": "They are gone"})


def test_a_renewed_lease_keeps_others_away(jobs, new, clock):
    (id,) = accept(jobs, new)
    claims = jobs.claim([id], "w1", 10)
    clock.tick(8)
    assert jobs.renew("w1", claims, 10) == {id}
    clock.tick(8)
    assert jobs.claim([id], "w2", 10) == []


def test_a_stopping_worker_gives_its_jobs_back_unharmed(jobs, new):
    (id,) = accept(jobs, new)
    claims = jobs.claim([id], "w1", 10)
    assert jobs.release(claims) == 1
    assert [d.id for d in jobs.due()] == [id]
    (again,) = jobs.claim([id], "w2", 10)
    assert (again.attempts, again.fence) == (1, 2)


# --- due, exhaust ----------------------------------------------------------------------------------


def test_a_fresh_job_is_not_due(jobs, new):
    accept(jobs, new)
    assert jobs.due() == []


def test_a_job_that_waits_long_is_due_once(jobs, new, clock):
    (id,) = accept(jobs, new, request_id="r7")
    clock.tick(61)
    due = jobs.due()
    assert [(d.id, d.request_id) for d in due] == [(id, "r7")]
    assert jobs.mark_enqueued(due) == due
    assert jobs.mark_enqueued(due) == []  # another reconciler that had read the same
    assert jobs.due() == []
    clock.tick(61)
    assert [d.id for d in jobs.due()] == [id]


def test_when_the_queue_was_flushed_the_caller_waits_less(jobs, new, clock):
    (id,) = accept(jobs, new)
    clock.tick(2)
    assert [d.id for d in jobs.due(unsent_for_s=1)] == [id]


def test_a_job_whose_worker_died_is_due_at_once(jobs, new, clock):
    (id,) = accept(jobs, new)
    jobs.claim([id], "w", 10)
    assert jobs.due() == []
    clock.tick(10.1)
    due = jobs.due()
    assert [d.id for d in due] == [id]
    jobs.mark_enqueued(due)
    assert jobs.due() == []


def test_due_jobs_come_oldest_first_and_not_all_at_once(jobs, new, clock):
    ids = []
    for _ in range(4):
        ids += accept(jobs, new)
        clock.tick(1)
    clock.tick(61)
    assert [d.id for d in jobs.due(limit=3)] == ids[:3]


def test_the_last_attempt_that_dies_is_the_end(jobs, new, clock):
    (id,) = accept(jobs, new)
    for attempt in range(3):
        assert jobs.exhaust() == []
        (claim,) = jobs.claim([id], f"w{attempt}", 10)
        clock.tick(11)
    assert jobs.due() == []
    assert jobs.claim([id], "w4", 10) == []
    assert jobs.exhaust() == [id]
    view = jobs.get(id)
    assert (view.status, view.error["code"], view.finished_at) == ("failed", "attempts_exhausted", clock.now)
    assert not jobs.finish(claim, RESULT, {})


def test_the_number_of_attempts_is_a_setting(database, clock, new):
    jobs = SegmentationJobs(database, max_attempts=1, clock=clock)
    (id,) = accept(jobs, new)
    jobs.claim([id], "w", 10)
    clock.tick(11)
    assert jobs.exhaust() == [id]


# --- delete, expire, purge ---------------------------------------------------------------------------


def test_delete_wipes_what_came_from_the_picture(jobs, new):
    (id,) = accept(jobs, new)
    (claim,) = jobs.claim([id], "w", 10)
    jobs.finish(claim, RESULT, {"forward": 1.0}, [{"code": "c", "detail": "d"}])
    assert jobs.delete_pixels(id)
    assert not jobs.delete_pixels(id)
    view = jobs.get(id)
    assert (view.gone, view.status) == (True, "succeeded")
    assert (view.image, view.result, view.warnings, view.timings) == ({}, None, [], {})
    assert jobs.list("alice").items == []


def test_deleting_an_unknown_job_changes_nothing(jobs):
    assert not jobs.delete_pixels("nope")
    assert not jobs.cancel("nope")


def test_expired_jobs_are_named_until_their_files_are_removed(jobs, new, clock):
    old = accept(jobs, new, 2, retention=timedelta(hours=1))
    (young,) = accept(jobs, new, retention=timedelta(hours=2))
    assert jobs.expire() == []
    clock.tick(3600)
    assert sorted(jobs.expire()) == sorted(old)
    assert sorted(jobs.expire()) == sorted(old)  # whoever asked first may have died
    jobs.files_removed(old)
    assert jobs.expire() == []
    assert jobs.get(old[0]).gone
    assert not jobs.get(young).gone


def test_a_job_that_expires_while_it_waits_is_cancelled(jobs, new, clock):
    (id,) = accept(jobs, new, retention=timedelta(hours=1))
    clock.tick(3601)
    jobs.expire()
    assert jobs.get(id).status == "cancelled"
    assert jobs.claim([id], "w", 10) == []
    assert jobs.due() == []


def test_files_are_looked_at_again_while_a_worker_may_still_write(jobs, new, clock):
    (id,) = accept(jobs, new)
    jobs.claim([id], "w", 10)
    jobs.delete_pixels(id)
    jobs.files_removed([id])
    assert jobs.expire() == [id]
    clock.tick(11)
    jobs.files_removed([id])
    assert jobs.expire() == []


def test_deleted_jobs_are_cleaned_with_the_expired(jobs, new):
    (id,) = accept(jobs, new)
    jobs.delete_pixels(id)
    assert jobs.expire() == [id]


def test_expiry_goes_in_bounded_steps(jobs, new, clock):
    ids = accept(jobs, new, 5, retention=timedelta(hours=1))
    clock.tick(3601)
    seen = set()
    while step := jobs.expire(limit=2):
        assert len(step) <= 2
        jobs.files_removed(step)
        seen |= set(step)
    assert seen == set(ids)


def test_purging_takes_expired_idempotency_keys_along(database, jobs, new, clock):
    keys = Idempotency(database, clock=clock)
    keys.begin("alice", "k", "print")
    clock.tick(24 * 3600)
    jobs.purge()
    assert keys.purge() == 0


def test_tombstones_stay_a_week_and_only_go_when_their_files_did(jobs, new, clock):
    clean, dirty = accept(jobs, new, 2)
    jobs.delete_pixels(clean), jobs.delete_pixels(dirty)
    jobs.files_removed([clean])
    clock.tick(6 * 86400)
    assert jobs.purge() == 0
    clock.tick(2 * 86400)
    assert jobs.purge() == 1
    with pytest.raises(NotFound):
        jobs.get(clean)
    assert jobs.get(dirty).gone
