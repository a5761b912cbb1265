"""Every operation on every state of a training run, as one table."""

import pytest

from shared.contract.errors import Conflict, NotFound
from tests.shared.jobs.training import accept, card, checkpoint, told

ENDED_NOW = {
    "renew": (None, None),
    "progress": (False, None),
    "epoch": (False, None),
    "checkpoint": ((False, None), None),
    "succeed": (False, None),
    "fail": (False, None),
    "cancelled": (False, None),
    "interrupted": (False, None),
    "release": (False, None),
    "claim": (False, None),
    "reap": (False, None),
    "discard": (False, None),
}
RUNNING = {
    "renew": ("running", None),
    "progress": (True, None),
    "epoch": (True, None),
    "checkpoint": ((True, None), None),
    "succeed": (True, "succeeded"),
    "fail": (True, "failed"),
    "cancelled": (True, "cancelled"),
    "interrupted": (True, "queued"),
    "release": (True, "queued"),
    "claim": (False, None),
    "reap": (False, None),
    "discard": (False, None),
    "cancel": ("cancelling", "cancelling"),
    "resume": (Conflict, None),
}
CANCELLING = {
    **RUNNING,
    "renew": ("cancelling", None),
    "succeed": (False, "cancelled"),
    "fail": (True, "cancelled"),
    "interrupted": (True, "cancelled"),
    "release": (True, "cancelled"),
    "cancel": ("cancelling", None),
}
# State -> operation -> (what it answers or raises, the new state; None: nothing changed and no status was told).
# `lost`: with a lease that ran out. Operations of a worker are tried with the latest claim.
TABLE = {
    "queued": {
        **ENDED_NOW,
        "claim": (True, "running"),
        "cancel": ("cancelled", "cancelled"),
        "resume": (Conflict, None),
        "discard": (True, "none"),
    },
    "given back": {
        **ENDED_NOW,
        "claim": (True, "running"),
        "cancel": ("cancelled", "cancelled"),
        "resume": (Conflict, None),
    },
    "running": RUNNING,
    "running, lost": {**RUNNING, "claim": (True, "running")},
    "cancelling": CANCELLING,
    "cancelling, lost": {**CANCELLING, "reap": (True, "cancelled")},
    "succeeded": {**ENDED_NOW, "cancel": (Conflict, None), "resume": (Conflict, None)},
    "failed": {**ENDED_NOW, "cancel": (Conflict, None), "resume": ("queued", "queued")},
    "cancelled": {**ENDED_NOW, "cancel": (Conflict, None), "resume": ("queued", "queued")},
    "none": {"cancel": (NotFound, None), "resume": (NotFound, None), "discard": (False, None)},
}
OF_WORKERS = {*ENDED_NOW} - {"claim", "reap", "discard"}
CASES = [
    (state, operation)
    for state, operations in TABLE.items()
    for operation in operations
    if not (state == "queued" and operation in OF_WORKERS)  # nobody has a claim yet
]


def bring_to(state, runs, clock, id):
    """Bring a queued run to the state; its latest claim, if it has had one."""
    if state == "none":
        runs.discard(id)
    if state in ("none", "queued"):
        return None
    claim = runs.claim_next("w", 10)
    steps = {
        "given back": lambda: runs.release(claim),
        "running": lambda: None,
        "cancelling": lambda: runs.cancel(id),
        "succeeded": lambda: runs.succeed(claim, card("earlier"), "models/earlier.1"),
        "failed": lambda: runs.fail(claim, "training_failed", "no"),
        "cancelled": lambda: (runs.cancel(id), runs.cancelled(claim)),
    }
    steps[state.removesuffix(", lost")]()
    if state.endswith(", lost"):
        clock.tick(11)
    return claim


def perform(operation, runs, claim, id):
    operations = {
        "renew": lambda: runs.renew(claim, 10),
        "progress": lambda: runs.progress(claim, {"stage": "training"}),
        "epoch": lambda: runs.epoch(claim, {"epoch": 1}),
        "checkpoint": lambda: runs.checkpoint(claim, checkpoint()),
        "succeed": lambda: runs.succeed(claim, card(), "models/trained.1"),
        "fail": lambda: runs.fail(claim, "out_of_memory", "again"),
        "cancelled": lambda: runs.cancelled(claim),
        "interrupted": lambda: runs.interrupted(claim),
        "release": lambda: runs.release(claim),
        "claim": lambda: runs.claim_next("other", 10) is not None,
        "reap": lambda: runs.reap() == [id],
        "discard": lambda: runs.discard(id),
        "cancel": lambda: runs.cancel(id),
        "resume": lambda: runs.resume(id).status,
    }
    return operations[operation]()


def state_of(runs, id):
    try:
        return runs.get(id).status
    except NotFound:
        return "none"


@pytest.mark.parametrize(("state", "operation"), CASES, ids=[f"{o} when {s}" for s, o in CASES])
def test_what_an_operation_answers_and_leaves(runs, clock, state, operation):
    id = accept(runs).id
    claim = bring_to(state, runs, clock, id)
    before, told_before, kept = state_of(runs, id), told(runs, id), None
    if before != "none":
        kept = runs.get(id)
    answer, after = TABLE[state][operation]
    clock.tick(0.5)
    if isinstance(answer, type):
        with pytest.raises(answer):
            perform(operation, runs, claim, id)
    else:
        assert perform(operation, runs, claim, id) == answer
    if after is None:
        assert state_of(runs, id) == before
        assert told(runs, id) == told_before
        if operation not in ("progress", "epoch", "checkpoint") or answer in (False, (False, None)):
            assert kept is None or runs.get(id) == kept
    else:
        assert state_of(runs, id) == after
        assert told(runs, id) == ([] if after == "none" else [*told_before, after])
    if after in ("succeeded", "failed", "cancelled"):
        assert runs.get(id).finished_at == clock.now
