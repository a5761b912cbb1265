"""What the API and the workers can do with a training run, one after the other."""

import pytest

from shared.contract.errors import Conflict, InvalidFields, NotFound
from shared.database.idempotency import Idempotency, Replay
from shared.database.models import Models
from shared.jobs.training_runs import NewRun
from tests.shared.jobs.training import accept, card, checkpoint, told

LOADING = {"stage": "loading", "epoch": 0, "epochs": 40, "step": 0, "steps": None, "eta_s": None}


# --- accept, get, list -----------------------------------------------------------------------------


def test_what_accept_returns_is_what_get_reads(runs, clock):
    accepted = accept(runs)
    assert runs.get(accepted.id) == accepted
    assert (accepted.status, accepted.created_at, accepted.attempts) == ("queued", clock.now, 0)
    assert (accepted.progress, accepted.epochs, accepted.checkpoint) == ({}, [], None)
    assert not accepted.ended


def test_an_idempotency_key_is_completed_with_the_run(runs, database, clock):
    keys = Idempotency(database, clock=clock)
    keys.begin("alice", "k", "f")
    new = NewRun("alice", "mine", "d1", None, {}, "r1")
    runs.accept(new, idempotency_key="k")
    assert keys.begin("alice", "k", "f") == Replay(new.id)


def test_an_unknown_and_another_owners_run_are_not_found(runs):
    id = accept(runs).id
    assert runs.get(id, owner="alice").id == id
    for asked in ({"id": id, "owner": "mallory"}, {"id": "nope"}):
        with pytest.raises(NotFound):
            runs.get(**asked)


def test_lists_are_newest_first_ones_own_and_admin_sees_all(runs, clock):
    ids = []
    for owner in ("alice", "bob", "alice", "alice"):
        ids.append(accept(runs, owner=owner).id)
        clock.tick(1)
    first = runs.list("alice", 2)
    assert [view.id for view in first.items] == [ids[3], ids[2]]
    assert [view.id for view in runs.list("alice", 2, first.next).items] == [ids[0]]
    assert [view.id for view in runs.list(None).items] == ids[::-1]
    with pytest.raises(InvalidFields):
        runs.list(None, 0)


def test_runs_are_counted_by_status(runs):
    for _ in range(3):
        accept(runs)
    runs.claim_next("w", 60)
    assert runs.count_by_status() == {"queued": 2, "running": 1}
    assert runs.queued_count() == 2


# --- claim, renew, report --------------------------------------------------------------------------


def test_the_oldest_run_is_claimed_first(runs, clock):
    first = accept(runs)
    clock.tick(1)
    second = accept(runs)
    clock.tick(1)
    claim = runs.claim_next("w", 60)
    assert (claim.id, claim.fence, claim.attempts, claim.fruitless) == (first.id, 1, 1, 1)
    assert (claim.owner, claim.name, claim.dataset_id) == ("alice", "first try", "d1")
    assert (claim.specification, claim.checkpoint, claim.epochs) == (first.specification, None, [])
    view = runs.get(first.id)
    assert (view.status, view.started_at, view.progress, view.attempts) == ("running", clock.now, LOADING, 1)
    assert runs.claim_next("v", 60).id == second.id
    assert runs.claim_next("w", 60) is None


def test_a_run_whose_worker_is_gone_is_claimed_again_with_all_that_was_done(runs, clock):
    id = accept(runs).id
    old = runs.claim_next("w", 10)
    began = clock.now
    for number in (1, 2, 3):
        runs.epoch(old, {"epoch": number, "train_loss": 1 / number})
    runs.checkpoint(old, checkpoint(epoch=2))
    clock.tick(9)
    assert runs.renew(old, 10) == "running"
    clock.tick(9)
    assert runs.claim_next("v", 10) is None
    clock.tick(2)
    new = runs.claim_next("v", 10)
    assert (new.id, new.fence, new.attempts, new.fruitless) == (id, 2, 2, 1)
    assert new.checkpoint == checkpoint(epoch=2)
    assert [entry["epoch"] for entry in new.epochs] == [1, 2, 3]
    view = runs.get(id)
    assert view.started_at == began
    assert view.progress == {**LOADING, "epoch": 2}
    assert [event.data for event in runs.events(id) if event.kind == "status"] == [
        {"status": "queued"},
        {"status": "running", "attempts": 1},
        {"status": "running", "attempts": 2},
    ]


def test_a_worker_that_comes_back_from_the_dead_changes_nothing(runs, database, clock):
    id = accept(runs).id
    old = runs.claim_next("w", 10)
    clock.tick(11)
    runs.claim_next("v", 10)
    before, events = runs.get(id), runs.events(id)
    assert runs.renew(old, 10) is None
    assert not runs.progress(old, {"stage": "training"})
    assert not runs.epoch(old, {"epoch": 1})
    assert runs.checkpoint(old, checkpoint()) == (False, None)
    assert not runs.succeed(old, card(), "models/trained.1")
    assert not runs.fail(old, "training_failed", "no")
    assert not runs.cancelled(old)
    assert not runs.interrupted(old)
    assert not runs.release(old)
    assert (runs.get(id), runs.events(id)) == (before, events)
    assert Models(database).list().items == []


def test_progress_is_kept_without_an_event(runs):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    step = {"stage": "training", "epoch": 1, "epochs": 40, "step": 5, "steps": 90, "eta_s": 12.5}
    assert runs.progress(claim, step)
    assert runs.get(id).progress == step
    assert len(runs.events(id)) == 2


def test_an_epoch_done_again_replaces_itself_and_later_ones(runs):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    for number, loss in ((1, 0.9), (2, 0.8), (3, 0.7), (2, 0.75)):
        assert runs.epoch(claim, {"epoch": number, "train_loss": loss})
    assert runs.get(id).epochs == [{"epoch": 1, "train_loss": 0.9}, {"epoch": 2, "train_loss": 0.75}]
    epochs = [(event.number, event.data["epoch"]) for event in runs.events(id) if event.kind == "epoch"]
    assert epochs == [(3, 1), (4, 2), (5, 3), (6, 2)]


@pytest.mark.parametrize("report", ["progress", "epoch"])
def test_a_report_with_nan_is_a_value_error_and_changes_nothing(runs, report):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    before = runs.get(id)
    with pytest.raises(ValueError, match="not JSON compliant"):
        getattr(runs, report)(claim, {"epoch": 1, "train_loss": float("nan")})
    assert runs.get(id) == before
    assert len(runs.events(id)) == 2


def test_a_checkpoint_names_the_one_that_it_replaces(runs):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    assert runs.checkpoint(claim, checkpoint("a")) == (True, None)
    assert runs.checkpoint(claim, checkpoint("b", step=20)) == (True, "a")
    assert runs.checkpoint(claim, checkpoint("b", step=20)) == (True, None)
    assert runs.get(id).checkpoint == checkpoint("b", step=20)


# --- the end ---------------------------------------------------------------------------------------


def test_a_run_that_succeeds_has_its_model_registered(runs, database, clock):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    clock.tick(5)
    assert runs.succeed(claim, card(), "models/trained.1")
    view = runs.get(id)
    assert (view.status, view.model_id, view.finished_at, view.ended) == (
        "succeeded",
        "trained",
        clock.now,
        True,
    )
    stored = Models(database).get("trained")
    assert (stored.card, stored.location, stored.created_at) == (card(), "models/trained.1", clock.now)
    assert runs.events(id)[-1].data == {"status": "succeeded", "model": "trained"}


def test_a_model_id_that_is_taken_leaves_the_run_as_it_is(runs, database):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    Models(database).register(card(threshold=0.4), "models/other")
    before = runs.get(id)
    with pytest.raises(Conflict):
        runs.succeed(claim, card(), "models/trained.1")
    assert runs.get(id) == before
    assert told(runs, id) == ["queued", "running"]
    assert Models(database).get("trained").location == "models/other"


def test_a_run_that_was_to_be_cancelled_makes_no_model(runs, database):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    runs.cancel(id)
    assert not runs.succeed(claim, card(), "models/trained.1")
    assert (runs.get(id).status, runs.get(id).model_id) == ("cancelled", None)
    assert Models(database).list().items == []


def test_a_run_that_failed_says_why(runs):
    id = accept(runs).id
    assert runs.fail(runs.claim_next("w", 60), "out_of_memory", "b\0d \udc80")
    error = {"code": "out_of_memory", "message": "b\N{REPLACEMENT CHARACTER}d ?"}
    assert runs.get(id).error == error
    assert runs.events(id)[-1].data == {"status": "failed", "error": error}


def test_a_resumed_run_goes_on_from_its_checkpoint(runs, clock):
    id = accept(runs).id
    claim = runs.claim_next("w", 60)
    runs.epoch(claim, {"epoch": 1})
    runs.checkpoint(claim, checkpoint(epoch=1))
    runs.fail(claim, "disk_full", "full")
    clock.tick(60)
    view = runs.resume(id)
    assert view == runs.get(id)
    assert (view.status, view.error, view.finished_at, view.progress) == ("queued", None, None, {})
    again = runs.claim_next("v", 60)
    assert (again.checkpoint, again.epochs, again.attempts) == (checkpoint(epoch=1), [{"epoch": 1}], 2)
    assert told(runs, id) == ["queued", "running", "failed", "queued", "running"]


def test_a_run_whose_message_could_not_be_sent_leaves_no_trace(runs):
    id = accept(runs).id
    assert runs.discard(id)
    assert runs.events(id) == []
    with pytest.raises(NotFound):
        runs.get(id)


# --- processes that die ----------------------------------------------------------------------------


def test_processes_that_die_without_a_checkpoint_are_counted_and_then_the_end(runs, clock):
    id = accept(runs).id
    for number in (1, 2, 3):
        assert runs.reap() == []
        claim = runs.claim_next("w", 10)
        assert (claim.attempts, claim.fruitless) == (number, number)
        if number == 2:
            clock.tick(11)  # the whole worker died
        else:
            assert runs.interrupted(claim)
    assert runs.claim_next("w", 10) is None
    assert runs.reap() == [id]
    view = runs.get(id)
    assert (view.status, view.finished_at, view.error["code"]) == ("failed", clock.now, "attempts_exhausted")
    assert "died 3 times" in view.error["message"]
    assert "emory" in view.error["message"]
    assert runs.reap() == []
    assert runs.resume(id).status == "queued"
    assert runs.claim_next("w", 10).fruitless == 1


def test_the_last_allowed_process_may_die_with_its_worker(runs, clock):
    id = accept(runs).id
    for _ in range(3):
        runs.claim_next("w", 10)
        assert runs.reap() == []
        clock.tick(11)
    assert runs.claim_next("w", 10) is None
    assert runs.reap() == [id]
    assert told(runs, id) == ["queued", "running", "running", "running", "failed"]


def test_a_checkpoint_makes_a_process_fruitful(runs):
    accept(runs)
    for number in range(1, 8):
        claim = runs.claim_next("w", 10)
        assert (claim.attempts, claim.fruitless) == (number, 1)
        runs.checkpoint(claim, checkpoint(step=number))
        runs.interrupted(claim)
    assert runs.reap() == []


def test_a_run_given_back_in_order_is_due_at_once_and_the_attempt_not_counted(runs):
    id = accept(runs).id
    for number in range(1, 8):
        claim = runs.claim_next("w", 10)
        assert (claim.attempts, claim.fruitless, claim.fence) == (1, 1, number)
        if number == 4:
            runs.checkpoint(claim, checkpoint())
        assert runs.release(claim)
    assert runs.get(id).attempts == 0
    assert runs.get(id).progress == {}
    assert runs.reap() == []


def test_cancelled_runs_whose_worker_is_gone_are_reaped_and_no_others(runs, clock):
    first, second, third = (accept(runs).id for _ in range(3))
    claims = {claim.id: claim for claim in (runs.claim_next("w", 10) for _ in range(2))}
    (waiting,) = {first, second, third} - {*claims}
    dead, alive = claims
    runs.cancel(dead), runs.cancel(alive)
    clock.tick(9)
    runs.renew(claims[alive], 10)
    assert runs.reap() == []
    clock.tick(2)
    assert runs.reap() == [dead]
    assert [runs.get(id).status for id in (dead, alive, waiting)] == ["cancelled", "cancelling", "queued"]


# --- events ----------------------------------------------------------------------------------------


def test_events_are_read_on_from_the_last_one_seen(runs, clock):
    id, other = accept(runs).id, accept(runs).id
    claim = runs.claim_next("w", 60)
    id, other = (id, other) if claim.id == id else (other, id)
    for number in range(1, 6):
        clock.tick(1)
        runs.epoch(claim, {"epoch": number})
    assert [event.number for event in runs.events(id)] == [1, 2, 3, 4, 5, 6, 7]
    assert [event.number for event in runs.events(id, after=5)] == [6, 7]
    assert [event.number for event in runs.events(id, after=2, limit=2)] == [3, 4]
    assert runs.events(id, after=7) == []
    assert runs.events("nope") == []
    assert [event.number for event in runs.events(other)] == [1]
    last = runs.events(id)[-1]
    assert (last.kind, last.at, last.data) == ("epoch", clock.now, {"epoch": 5})


# --- delete ----------------------------------------------------------------------------------------


def test_only_a_run_that_has_ended_is_deleted_and_its_events_with_it(runs):
    waiting, other = accept(runs).id, accept(runs).id
    with pytest.raises(Conflict, match="cancel it first"):
        runs.delete(waiting)
    runs.cancel(waiting)
    runs.delete(waiting)
    with pytest.raises(NotFound):
        runs.get(waiting)
    with pytest.raises(NotFound):
        runs.delete(waiting)
    assert runs.events(waiting) == []
    assert told(runs, other) == ["queued"]
