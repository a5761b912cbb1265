"""What the API and the workers can do with a dataset."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.contract.errors import InvalidFields, NotFound
from shared.database.idempotency import Idempotency, Replay
from shared.jobs.datasets import Datasets, NewDataset

REPORT = {"patients": 3, "tumour_share": 0.01}
FINDINGS = [{"level": "warning", "code": "few_patients", "detail": "3", "files": [], "count": 1}]


@pytest.fixture
def datasets(database, clock):
    return Datasets(database, max_attempts=3, clock=clock)


def accept(datasets, **changes):
    fields = {"owner": "alice", "name": "mine", "format": "auto", "options": {}, "request_id": "r1"}
    return datasets.accept(NewDataset(**{**fields, **changes}))


def ready(datasets, claim):
    return datasets.ready(claim, format="lgg", report=REPORT, findings=FINDINGS)


def test_what_accept_returns_is_what_get_reads(datasets, clock):
    accepted = accept(
        datasets,
        options={"mask_suffix": "_m"},
        archive_bytes=5_000_000_000,
        archive_sha256="a" * 64,
    )
    assert datasets.get(accepted.id) == accepted
    assert (accepted.status, accepted.created_at, accepted.finished_at) == ("validating", clock.now, None)
    assert (accepted.archive_bytes, accepted.options) == (5_000_000_000, {"mask_suffix": "_m"})
    assert (accepted.report, accepted.findings, accepted.error, accepted.folder) == (None, [], None, None)


def test_an_idempotency_key_is_completed_with_the_dataset(datasets, database, clock):
    keys = Idempotency(database, clock=clock)
    keys.begin("alice", "k", "f")
    new = NewDataset("alice", "mine", "auto", {}, "r1", folder="lgg")
    datasets.accept(new, idempotency_key="k")
    assert keys.begin("alice", "k", "f") == Replay(new.id)


def test_unknown_deleted_and_another_owners_datasets_are_not_found(datasets):
    id = accept(datasets).id
    assert datasets.get(id, owner="alice").id == id
    with pytest.raises(NotFound):
        datasets.get(id, owner="mallory")
    with pytest.raises(NotFound):
        datasets.get("nope")
    assert datasets.delete(id)
    with pytest.raises(NotFound):
        datasets.get(id)
    assert not datasets.delete(id)
    assert not datasets.delete("nope")


def test_lists_are_newest_first_ones_own_and_without_deleted_ones(datasets, clock):
    ids = []
    for owner in ("alice", "bob", "alice", "alice", "alice"):
        ids.append(accept(datasets, owner=owner).id)
        clock.tick(1)
    datasets.delete(ids[2])
    first = datasets.list("alice", 2)
    assert [view.id for view in first.items] == [ids[4], ids[3]]
    assert [view.id for view in datasets.list("alice", 2, first.next).items] == [ids[0]]
    assert [view.id for view in datasets.list(None).items] == [ids[4], ids[3], ids[1], ids[0]]
    with pytest.raises(InvalidFields):
        datasets.list("alice", 10, "garbage!")


def test_the_oldest_is_claimed_first_and_each_once(datasets, clock):
    first = accept(datasets, folder="lgg", format="lgg")
    clock.tick(1)
    second = accept(datasets)
    claim = datasets.claim_next("w", 60)
    assert (claim.id, claim.fence, claim.attempts, claim.folder, claim.format) == (
        first.id,
        1,
        1,
        "lgg",
        "lgg",
    )
    assert datasets.claim_next("v", 60).id == second.id
    assert datasets.claim_next("w", 60) is None


def test_a_validated_dataset_is_ready(datasets, clock):
    id = accept(datasets).id
    claim = datasets.claim_next("w", 60)
    clock.tick(5)
    assert ready(datasets, claim)
    view = datasets.get(id)
    assert (view.status, view.format, view.report, view.findings) == ("ready", "lgg", REPORT, FINDINGS)
    assert view.finished_at == clock.now
    assert not ready(datasets, claim)
    assert not datasets.fail(claim, "dataset_invalid", "no")
    assert datasets.claim_next("w", 60) is None


def test_a_dataset_that_cannot_be_used_failed_with_its_findings(datasets):
    id = accept(datasets).id
    claim = datasets.claim_next("w", 60)
    assert datasets.fail(claim, "dataset_invalid", "a\0b\udc80.png is broken", FINDINGS)
    view = datasets.get(id)
    assert (view.status, view.findings, view.report) == ("failed", FINDINGS, None)
    assert view.error == {"code": "dataset_invalid", "message": "a\N{REPLACEMENT CHARACTER}b?.png is broken"}


def test_a_report_with_nan_is_refused_as_a_value_error(datasets):
    accept(datasets)
    claim = datasets.claim_next("w", 60)
    with pytest.raises(ValueError, match="not JSON compliant"):
        datasets.ready(claim, format="lgg", report={"tumour_share": float("nan")}, findings=[])
    assert datasets.renew(claim, 60)


def test_a_lost_dataset_is_claimed_again_and_the_first_worker_changes_nothing(datasets, clock):
    id = accept(datasets).id
    old = datasets.claim_next("w", 10)
    clock.tick(9)
    assert datasets.renew(old, 10)
    clock.tick(9)
    assert datasets.claim_next("v", 10) is None
    clock.tick(2)
    new = datasets.claim_next("v", 10)
    assert (new.id, new.fence, new.attempts) == (id, 2, 2)
    assert not datasets.renew(old, 10)
    assert not datasets.release(old)
    assert not ready(datasets, old)
    assert not datasets.fail(old, "dataset_invalid", "no")
    assert ready(datasets, new)


def test_a_dataset_given_back_is_due_at_once_and_the_attempt_not_counted(datasets):
    accept(datasets)
    for fence in range(1, 7):
        claim = datasets.claim_next("w", 60)
        assert (claim.fence, claim.attempts) == (fence, 1)
        assert datasets.release(claim)
        assert not datasets.renew(claim, 60)
        assert not datasets.release(claim)
        assert not ready(datasets, claim)


def test_attempts_that_all_died_are_the_end(datasets, clock):
    id = accept(datasets).id
    other = accept(datasets).id
    assert datasets.exhaust() == []
    for _ in range(3):
        assert {datasets.claim_next("w", 10).id, datasets.claim_next("w", 10).id} == {id, other}
        assert datasets.exhaust() == []
        clock.tick(11)
    assert datasets.claim_next("w", 10) is None
    assert sorted(datasets.exhaust()) == sorted([id, other])
    assert datasets.get(id).error["code"] == "attempts_exhausted"
    assert datasets.get(id).finished_at == clock.now
    assert datasets.exhaust() == []


def test_a_deleted_dataset_is_validated_no_more_and_its_files_are_named_until_removed(datasets, clock):
    id, running, kept = (accept(datasets).id for _ in range(3))
    claims = {claim.id: claim for claim in (datasets.claim_next("w", 60) for _ in range(3))}
    datasets.release(claims[id])
    assert datasets.delete(id)
    clock.tick(1)
    assert datasets.delete(running)
    assert datasets.claim_next("w", 60) is None
    assert not datasets.renew(claims[running], 60)
    assert not ready(datasets, claims[running])
    assert datasets.to_clean() == [id, running]
    assert datasets.to_clean(1) == [id]
    datasets.files_removed([id, kept])
    assert datasets.to_clean() == [running]
    datasets.files_removed([])
    assert datasets.get(kept).status == "validating"


def test_a_dataset_whose_message_could_not_be_sent_leaves_no_trace_unless_it_was_claimed(datasets):
    id = accept(datasets).id
    assert datasets.discard(id)
    with pytest.raises(NotFound):
        datasets.get(id)
    id = accept(datasets).id
    datasets.release(datasets.claim_next("w", 60))
    assert not datasets.discard(id)
    assert datasets.get(id).status == "validating"


def test_datasets_are_counted_by_status_without_deleted_ones(datasets):
    ids = [accept(datasets).id for _ in range(4)]
    ready(datasets, datasets.claim_next("w", 60))
    assert datasets.count_by_status() == {"validating": 3, "ready": 1}
    for id in ids:
        datasets.delete(id)
    assert datasets.count_by_status() == {}


def test_each_dataset_is_claimed_exactly_once_by_threads_that_race(datasets):
    ids = {accept(datasets).id for _ in range(12)}
    start = threading.Barrier(2)

    def claim_all(number):
        start.wait()
        return [claim for _ in range(12) if (claim := datasets.claim_next(f"w{number}", 60))]

    with ThreadPoolExecutor(2) as pool:
        claims = [claim for mine in pool.map(claim_all, range(2)) for claim in mine]
    assert sorted(claim.id for claim in claims) == sorted(ids)
    assert {claim.fence for claim in claims} == {1}
