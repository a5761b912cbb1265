"""What the API and the workers can do with an evaluation."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from shared.contract.errors import InvalidFields, NotFound
from shared.database.audit import AuditLog
from shared.database.idempotency import Idempotency, Replay
from shared.database.tables import Evaluation
from shared.jobs.evaluations import Evaluations, NewEvaluation

RESULT = {"dice": {"patient": {"mean": 0.9}}}


@pytest.fixture
def evaluations(database, clock):
    return Evaluations(database, max_attempts=3, clock=clock)


def accept(evaluations, **changes):
    fields = {
        "owner": "alice",
        "model_id": "lgg",
        "against_id": None,
        "dataset_id": "d1",
        "split": "all",
        "test_time_augmentation": None,
        "request_id": "r1",
    }
    return evaluations.accept(NewEvaluation(**{**fields, **changes}))


def test_what_accept_returns_is_what_get_reads(evaluations, clock):
    accepted = accept(evaluations, against_id="other", split="test", test_time_augmentation=False)
    assert evaluations.get(accepted.id) == accepted
    assert (accepted.status, accepted.progress, accepted.created_at) == ("queued", 0.0, clock.now)
    assert (accepted.model_id, accepted.against_id, accepted.dataset_id) == ("lgg", "other", "d1")
    assert (accepted.split, accepted.test_time_augmentation) == ("test", False)
    assert (accepted.started_at, accepted.finished_at, accepted.result, accepted.error) == (None,) * 4
    assert not accepted.ended
    assert accept(evaluations).test_time_augmentation is None


def test_an_idempotency_key_is_completed_with_the_evaluation(evaluations, database, clock):
    keys = Idempotency(database, clock=clock)
    keys.begin("alice", "k", "f")
    new = NewEvaluation("alice", "lgg", None, "d1", "all", None, "r1")
    evaluations.accept(new, idempotency_key="k")
    assert keys.begin("alice", "k", "f") == Replay(new.id)


def test_unknown_deleted_and_another_owners_evaluations_are_not_found(evaluations, database):
    id = accept(evaluations).id
    assert evaluations.get(id, owner="alice").id == id
    for asked, owner in ((id, "mallory"), ("nope", None)):
        with pytest.raises(NotFound):
            evaluations.get(asked, owner=owner)
    assert evaluations.delete(id, actor="alice")
    with pytest.raises(NotFound):
        evaluations.get(id)
    assert not evaluations.delete(id)
    assert not evaluations.delete("nope")
    deeds = [(entry.actor, entry.action, entry.object_id) for entry in AuditLog(database).list().items]
    assert deeds == [("alice", "evaluation.delete", id)]


def test_lists_are_newest_first_by_owner_and_model_and_without_deleted_ones(evaluations, clock):
    ids = []
    for owner, model in (("alice", "a"), ("bob", "a"), ("alice", "b"), ("alice", "a"), ("alice", "a")):
        ids.append(accept(evaluations, owner=owner, model_id=model).id)
        clock.tick(1)
    evaluations.delete(ids[3])
    first = evaluations.list("alice", 2)
    assert [view.id for view in first.items] == [ids[4], ids[2]]
    assert [view.id for view in evaluations.list("alice", 2, first.next).items] == [ids[0]]
    assert [view.id for view in evaluations.list("alice", model="a").items] == [ids[4], ids[0]]
    assert [view.id for view in evaluations.list(None, model="a").items] == [ids[4], ids[1], ids[0]]
    assert evaluations.list("alice", model="c").items == []
    with pytest.raises(InvalidFields):
        evaluations.list("alice", 10, "garbage!")


def test_the_oldest_is_claimed_first_and_each_once(evaluations, clock):
    first = accept(evaluations, against_id="other", split="test", test_time_augmentation=True)
    clock.tick(1)
    second = accept(evaluations)
    claim = evaluations.claim_next("w", 60)
    assert (claim.id, claim.fence, claim.attempts, claim.model_id) == (first.id, 1, 1, "lgg")
    assert (claim.against_id, claim.split, claim.test_time_augmentation) == ("other", "test", True)
    view = evaluations.get(first.id)
    assert (view.status, view.started_at, view.attempts) == ("running", clock.now, 1)
    assert evaluations.claim_next("v", 60).id == second.id
    assert evaluations.claim_next("w", 60) is None
    assert evaluations.queued_count() == 0


def test_one_that_is_done_has_its_result(evaluations, clock):
    id = accept(evaluations).id
    claim = evaluations.claim_next("w", 60)
    assert evaluations.progress(claim, 0.25)
    assert evaluations.get(id).progress == 0.25
    assert evaluations.progress(claim, 7) and evaluations.get(id).progress == 1.0
    clock.tick(5)
    assert evaluations.succeed(claim, RESULT)
    view = evaluations.get(id)
    assert (view.status, view.result, view.progress, view.finished_at) == (
        "succeeded",
        RESULT,
        1.0,
        clock.now,
    )
    assert view.ended and view.fence == claim.fence
    assert not evaluations.succeed(claim, {})
    assert not evaluations.fail(claim, "evaluation_failed", "no")
    assert not evaluations.progress(claim, 0.1)
    assert evaluations.claim_next("w", 60) is None


def test_one_that_cannot_be_done_says_why(evaluations):
    id = accept(evaluations).id
    claim = evaluations.claim_next("w", 60)
    assert evaluations.fail(claim, "evaluation_failed", "a\0b\udc80 is broken")
    view = evaluations.get(id)
    assert (view.status, view.result, view.ended) == ("failed", None, True)
    assert view.error == {
        "code": "evaluation_failed",
        "message": "a\N{REPLACEMENT CHARACTER}b? is broken",
    }


def test_a_result_with_nan_is_refused_as_a_value_error(evaluations):
    accept(evaluations)
    claim = evaluations.claim_next("w", 60)
    with pytest.raises(ValueError, match="not JSON compliant"):
        evaluations.succeed(claim, {"dice": float("nan")})
    assert evaluations.renew(claim, 60) == "running"


def test_a_lost_evaluation_is_claimed_again_and_the_first_worker_changes_nothing(evaluations, clock):
    id = accept(evaluations).id
    started = clock.now
    old = evaluations.claim_next("w", 10)
    evaluations.progress(old, 0.9)
    clock.tick(9)
    assert evaluations.renew(old, 10) == "running"
    clock.tick(9)
    assert evaluations.claim_next("v", 10) is None
    clock.tick(2)
    new = evaluations.claim_next("v", 10)
    assert (new.id, new.fence, new.attempts) == (id, 2, 2)
    view = evaluations.get(id)
    assert (view.progress, view.started_at) == (0.0, started)
    assert evaluations.renew(old, 10) is None
    assert not evaluations.release(old)
    assert not evaluations.interrupted(old, "it died")
    assert not evaluations.progress(old, 0.5)
    assert not evaluations.succeed(old, RESULT)
    assert not evaluations.fail(old, "evaluation_failed", "no")
    assert evaluations.succeed(new, RESULT)


def test_one_given_back_is_due_at_once_and_the_attempt_not_counted(evaluations):
    id = accept(evaluations).id
    for fence in range(1, 7):
        claim = evaluations.claim_next("w", 60)
        assert (claim.fence, claim.attempts) == (fence, 1)
        assert evaluations.release(claim)
        assert (evaluations.get(id).status, evaluations.get(id).attempts) == ("queued", 0)
        assert evaluations.renew(claim, 60) is None
        assert not evaluations.release(claim)
        assert not evaluations.succeed(claim, RESULT)


def test_one_whose_process_died_is_due_at_once_and_fails_after_the_last_attempt(evaluations):
    id = accept(evaluations).id
    for _ in range(2):
        claim = evaluations.claim_next("w", 60)
        evaluations.progress(claim, 0.5)
        assert evaluations.interrupted(claim, "it died (signal 9)")
        assert (evaluations.get(id).status, evaluations.get(id).progress) == ("queued", 0.0)
    assert evaluations.interrupted(evaluations.claim_next("w", 60), "it died (signal 9)")
    view = evaluations.get(id)
    assert (view.status, view.error["code"], view.attempts) == ("failed", "attempts_exhausted", 3)
    assert "3 times" in view.error["message"] and "it died (signal 9)" in view.error["message"]


def test_workers_that_all_died_are_the_end(evaluations, clock):
    id = accept(evaluations).id
    other = accept(evaluations).id
    assert evaluations.exhaust() == []
    for _ in range(3):
        assert {evaluations.claim_next("w", 10).id, evaluations.claim_next("w", 10).id} == {id, other}
        assert evaluations.exhaust() == []
        clock.tick(11)
    assert evaluations.claim_next("w", 10) is None
    assert sorted(evaluations.exhaust()) == sorted([id, other])
    view = evaluations.get(id)
    assert (view.status, view.error["code"], view.finished_at) == ("failed", "attempts_exhausted", clock.now)
    assert evaluations.exhaust() == []


def test_a_deleted_one_is_done_no_more_and_its_files_are_named_a_while_later(evaluations, clock):
    waits, running, kept = (accept(evaluations).id for _ in range(3))
    claims = {claim.id: claim for claim in (evaluations.claim_next("w", 600) for _ in range(3))}
    evaluations.release(claims[waits])
    assert evaluations.delete(waits)
    clock.tick(1)
    assert evaluations.delete(running)
    assert evaluations.claim_next("w", 60) is None
    assert evaluations.renew(claims[running], 60) is None
    assert not evaluations.succeed(claims[running], RESULT)
    assert evaluations.to_clean() == []
    clock.tick(61)
    assert evaluations.to_clean() == [waits, running]
    assert evaluations.to_clean(1) == [waits]
    evaluations.files_removed([waits, kept])
    assert evaluations.to_clean() == [running]
    evaluations.files_removed([])
    assert evaluations.get(kept).status == "running"


def test_a_deleted_one_keeps_no_figures_of_patients(evaluations, database):
    id = accept(evaluations).id
    evaluations.succeed(evaluations.claim_next("w", 60), RESULT)
    evaluations.delete(id)
    with database.read() as connection:
        assert connection.execute(select(Evaluation.result).where(Evaluation.id == id)).scalar_one() is None


def test_one_whose_message_could_not_be_sent_leaves_no_trace_unless_it_was_claimed(evaluations):
    id = accept(evaluations).id
    assert evaluations.discard(id)
    with pytest.raises(NotFound):
        evaluations.get(id)
    id = accept(evaluations).id
    evaluations.release(evaluations.claim_next("w", 60))
    assert not evaluations.discard(id)
    assert evaluations.get(id).status == "queued"


def test_evaluations_are_counted_by_status_without_deleted_ones(evaluations):
    ids = [accept(evaluations).id for _ in range(4)]
    evaluations.succeed(evaluations.claim_next("w", 60), RESULT)
    assert evaluations.count_by_status() == {"queued": 3, "succeeded": 1}
    assert evaluations.queued_count() == 3
    for id in ids:
        evaluations.delete(id)
    assert evaluations.count_by_status() == {}


def test_each_evaluation_is_claimed_exactly_once_by_threads_that_race(evaluations):
    ids = {accept(evaluations).id for _ in range(12)}
    start = threading.Barrier(2)

    def claim_all(number):
        start.wait()
        return [claim for _ in range(12) if (claim := evaluations.claim_next(f"w{number}", 60))]

    with ThreadPoolExecutor(2) as pool:
        claims = [claim for mine in pool.map(claim_all, range(2)) for claim in mine]
    assert sorted(claim.id for claim in claims) == sorted(ids)
    assert {claim.fence for claim in claims} == {1}
