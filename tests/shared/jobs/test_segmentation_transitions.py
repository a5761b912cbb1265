"""Every operation on every state, as one table."""

import pytest

from shared.contract.errors import NotFound

# State -> operation -> (what it answers, the state after it). `lost`: running, with a lease that ran out.
# finish, fail, release and renew are tried with the latest claim that the state can have.
TABLE = {
    "queued": {
        "claim": (1, "running"),
        "cancel": (True, "cancelled"),
        "delete": (True, "cancelled, gone"),
        "discard": (True, "none"),
    },
    "running": {
        "claim": (0, "running"),
        "renew": (True, "running"),
        "finish": (True, "succeeded"),
        "fail": (True, "failed"),
        "release": (1, "queued"),
        "cancel": (True, "cancelled"),
        "delete": (True, "cancelled, gone"),
        "discard": (False, "running"),
    },
    "lost": {
        "claim": (1, "running"),
        "renew": (True, "running"),
        "finish": (True, "succeeded"),
        "fail": (True, "failed"),
        "release": (1, "queued"),
        "cancel": (True, "cancelled"),
        "delete": (True, "cancelled, gone"),
        "discard": (False, "running"),
    },
    **{
        ended: {
            "claim": (0, ended),
            "renew": (False, ended),
            "finish": (False, ended),
            "fail": (False, ended),
            "release": (0, ended),
            "cancel": (False, ended),
            "delete": (True, f"{ended}, gone"),
            "discard": (False, ended),
        }
        for ended in ("succeeded", "failed", "cancelled")
    },
    "gone": {
        "claim": (0, "cancelled, gone"),
        "renew": (False, "cancelled, gone"),
        "finish": (False, "cancelled, gone"),
        "fail": (False, "cancelled, gone"),
        "release": (0, "cancelled, gone"),
        "cancel": (False, "cancelled, gone"),
        "delete": (False, "cancelled, gone"),
        "discard": (False, "cancelled, gone"),
    },
}
CASES = [(state, operation) for state, operations in TABLE.items() for operation in operations]


def bring_to(state, jobs, clock, id):
    """Bring a queued job to the state; its claim, if it has had one."""
    if state == "queued":
        return None
    (claim,) = jobs.claim([id], "w", 10)
    steps = {
        "running": lambda: None,
        "lost": lambda: clock.tick(11),
        "succeeded": lambda: jobs.finish(claim, {}, {}),
        "failed": lambda: jobs.fail(claim, "inference_failed", "no"),
        "cancelled": lambda: jobs.cancel(id),
        "gone": lambda: jobs.delete_pixels(id),
    }
    steps[state]()
    return claim


def perform(operation, jobs, claim, id):
    operations = {
        "claim": lambda: len(jobs.claim([id], "other", 10)),
        "renew": lambda: jobs.renew("w", [claim], 10) == {id},
        "finish": lambda: jobs.finish(claim, {"new": 1}, {}),
        "fail": lambda: jobs.fail(claim, "inference_failed", "again"),
        "release": lambda: jobs.release([claim]),
        "cancel": lambda: jobs.cancel(id),
        "delete": lambda: jobs.delete_pixels(id),
        "discard": lambda: jobs.discard(id),
    }
    return operations[operation]()


def state_of(jobs, id):
    try:
        view = jobs.get(id)
    except NotFound:
        return "none"
    return f"{view.status}, gone" if view.gone else str(view.status)


@pytest.mark.parametrize(("state", "operation"), CASES, ids=[f"{o}-of-{s}" for s, o in CASES])
def test_an_operation_answers_and_changes_as_the_table_says(state, operation, jobs, clock, new):
    id = jobs.accept(new()).id
    claim = bring_to(state, jobs, clock, id)
    before = jobs.get(id)
    answer = perform(operation, jobs, claim, id)
    assert (answer, state_of(jobs, id)) == TABLE[state][operation]
    if not answer:
        assert jobs.get(id) == before
