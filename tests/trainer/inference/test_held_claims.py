"""Held claims are prolonged together, and a claim that was lost is let go."""

from trainer.inference.held_claims import HeldClaims


def test_what_is_held_is_prolonged(jobs, accept, clock):
    held = HeldClaims(jobs, "w1", 10)
    (claim,) = held.claim([accept()])
    clock.skip(8)
    held.renew()
    clock.skip(8)
    assert jobs.claim([claim.id], "w2", 10) == []
    assert held.holds(claim)


def test_what_was_dropped_is_not_prolonged(jobs, accept, clock):
    held = HeldClaims(jobs, "w1", 10)
    claims = held.claim([accept()])
    held.drop(claims)
    clock.skip(8)
    held.renew()
    clock.skip(8)
    assert len(jobs.claim([claims[0].id], "w2", 10)) == 1


def test_a_cancelled_job_is_let_go(jobs, accept):
    held = HeldClaims(jobs, "w1", 10)
    claims = held.claim([accept(), accept()])
    jobs.cancel(claims[0].id)
    held.renew()
    assert held.all() == [claims[1]]


def test_a_job_taken_over_by_another_worker_is_let_go(jobs, accept, clock):
    held = HeldClaims(jobs, "w1", 10)
    (claim,) = held.claim([accept()])
    clock.skip(11)
    assert len(jobs.claim([claim.id], "w2", 10)) == 1
    held.renew()
    assert not held.holds(claim)


def test_dropping_an_old_claim_does_not_drop_the_new_one_of_the_same_job(jobs, accept, clock):
    held = HeldClaims(jobs, "w1", 10)
    (old,) = held.claim([accept()])
    clock.skip(11)
    (new,) = held.claim([old.id])
    held.drop([old])
    assert held.all() == [new]


def test_without_claims_the_database_is_left_alone():
    HeldClaims(None, "w1", 10).renew()
