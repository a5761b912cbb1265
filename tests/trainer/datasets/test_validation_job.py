"""The loop that validates datasets: it ends each, keeps its lease, gives it back, and cleans up."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.contract.config import DatasetSettings
from shared.contract.messages import ValidateDatasetMessage
from shared.contract.names import DatasetStatus
from shared.database.database import Database, create_all
from shared.files.paths import dataset_archive_path, dataset_folder
from shared.files.store import FileStore
from shared.jobs.datasets import DatasetClaim, Datasets, DatasetView, NewDataset
from tests.fakes import store, zips
from tests.fakes.datasets import picture_files
from trainer.datasets import validation_job as module
from trainer.datasets.local_datasets import LocalDatasets
from trainer.datasets.validation_job import ValidationJob
from trainer.jobs.claim_loop import ClaimLoop
from trainer.tasks.validate_dataset import validate_dataset

LEASE_S = 0.6


class Bench:
    """A database, a store and as many workers as wanted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = Database(f"sqlite:///{root / 'test.sqlite3'}")
        create_all(self.database)
        self.rows = Datasets(self.database)
        self.files = FileStore(root / "files")
        self.local = LocalDatasets(self.files, root / "cache", DatasetSettings())

    def loop(self, name: str = "w", lease_s: float = 10) -> ClaimLoop[DatasetClaim]:
        job = ValidationJob(self.rows, self.local, lease_s, lambda: made.stopping)
        claim = partial(self.rows.claim_next, name, lease_s)
        made = ClaimLoop("datasets", claim, job.run, job.sweep, look_every_s=0.02)
        return made

    def sweep(self) -> None:
        ValidationJob(self.rows, self.local, 10, lambda: False).sweep()

    def unpacked(self) -> list[str]:
        return sorted(path.name for path in (self.root / "cache" / "datasets").iterdir())

    def add(self, files: dict[str, bytes] | None = None, format: str = "auto", **options: str) -> str:
        data = zips.archive(picture_files() if files is None else files)
        digest = hashlib.sha256(data).hexdigest()
        new = NewDataset("me", "n", format, options, "r", archive_bytes=len(data), archive_sha256=digest)
        self.files.write(dataset_archive_path(new.id), data)
        return self.rows.accept(new).id

    def get(self, id: str) -> DatasetView:
        return self.rows.get(id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, threading.Event]:
    """`examine` says that it has begun, and goes on when it may."""
    events = {"begun": threading.Event(), "go": threading.Event()}
    examine = module.examine

    def slow(claim: Any, local: Any, on_progress: Any) -> Any:
        events["begun"].set()
        while not events["go"].wait(0.01):
            on_progress(0, 1)
        return examine(claim, local, on_progress)

    monkeypatch.setattr(module, "examine", slow)
    return events


def test_a_good_dataset_becomes_ready(bench: Bench) -> None:
    id = bench.add()
    assert bench.loop().run_once() and not bench.loop().run_once()
    dataset = bench.get(id)
    assert (dataset.status, dataset.format) == (DatasetStatus.READY, "image_mask")
    assert dataset.report is not None and dataset.report["slices"] == 12
    assert [finding["code"] for finding in dataset.findings] == ["few_patients", "patients_told"]


@pytest.mark.parametrize(
    ("files", "format", "code"),
    [
        ({"a.txt": b""}, "auto", "dataset_invalid"),
        (picture_files() | {"P0/1.png": b""}, "auto", "dataset_invalid"),
        (picture_files(), "lgg", "dataset_invalid"),
        ({"a.png": zips.archive({"b": b""})}, "auto", "unsafe_archive"),
    ],
)
def test_a_bad_dataset_fails_with_its_code_and_leaves_no_copy(
    files: dict[str, bytes], format: str, code: str, bench: Bench
) -> None:
    id = bench.add(files, format)
    bench.loop().run_once()
    dataset = bench.get(id)
    assert dataset.status == DatasetStatus.FAILED and dataset.error is not None
    assert dataset.error["code"] == code and dataset.error["message"]
    assert bench.unpacked() == []


def test_a_lost_archive_fails(bench: Bench) -> None:
    id = bench.add()
    bench.files.delete_tree("datasets")
    bench.loop().run_once()
    assert (bench.get(id).error or {})["code"] == "dataset_gone"


def test_options_reach_the_reader(bench: Bench) -> None:
    id = bench.add(patient_pattern=r"/(\d)")
    bench.loop().run_once()
    report = bench.get(id).report
    assert report is not None and (report["patients"], report["patients_from"]) == (3, "pattern")


def test_the_lease_is_kept_as_long_as_it_takes(bench: Bench, held: dict[str, threading.Event]) -> None:
    id = bench.add()
    thread = threading.Thread(target=bench.loop(lease_s=LEASE_S).run_once)
    thread.start()
    assert held["begun"].wait(5)
    assert not threading.Event().wait(LEASE_S * 2) and bench.rows.claim_next("thief", LEASE_S) is None
    held["go"].set()
    thread.join(10)
    assert bench.get(id).status == DatasetStatus.READY


def test_a_deleted_dataset_is_dropped(bench: Bench, held: dict[str, threading.Event]) -> None:
    id = bench.add()
    thread = threading.Thread(target=bench.loop(lease_s=LEASE_S).run_once)
    thread.start()
    assert held["begun"].wait(5)
    bench.rows.delete(id)
    thread.join(10)
    assert not thread.is_alive()


def test_a_worker_that_stops_gives_it_back_without_a_lost_attempt(
    bench: Bench, held: dict[str, threading.Event]
) -> None:
    id = bench.add()
    loop = bench.loop()
    loop.start()
    assert held["begun"].wait(5)
    loop.stop(10)
    held["go"].set()
    claim = bench.rows.claim_next("next", 10)
    assert claim is not None and (claim.id, claim.attempts) == (id, 1)


def test_the_loop_finds_work_by_itself_and_when_woken(bench: Bench) -> None:
    loop = bench.loop()
    loop.start()
    try:
        first = bench.add()
        loop.wake()
        second = bench.add()
        for _ in range(500):
            if {bench.get(first).status, bench.get(second).status} == {DatasetStatus.READY}:
                break
            threading.Event().wait(0.02)
        else:
            pytest.fail("not validated within 10 seconds")
    finally:
        loop.stop(10)


def test_what_breaks_unexpectedly_is_tried_again_and_then_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise OSError("the store is away")

    monkeypatch.setattr(module, "examine", broken)
    id = bench.add()
    for _ in range(3):
        with pytest.raises(OSError, match="away"):
            bench.loop(lease_s=0.05).run_once()
        threading.Event().wait(0.08)
    assert not bench.loop().run_once() and bench.get(id).status == DatasetStatus.VALIDATING
    bench.sweep()
    assert (bench.get(id).error or {})["code"] == "attempts_exhausted"


def test_cleaning_removes_what_was_deleted_here_and_in_the_store(bench: Bench) -> None:
    kept, deleted, elsewhere = bench.add(), bench.add(), bench.add()
    while bench.loop().run_once():
        pass
    assert bench.unpacked() == sorted([kept, deleted, elsewhere])
    bench.rows.delete(deleted)
    bench.rows.delete(elsewhere)
    bench.rows.files_removed([elsewhere])  # the API did its part
    bench.sweep()
    assert bench.unpacked() == [kept] and not bench.rows.to_clean()
    assert bench.files.exists(dataset_archive_path(kept)) and not bench.files.exists(
        dataset_archive_path(deleted)
    )


def test_one_archive_that_cannot_be_removed_keeps_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = bench.add(), bench.add()
    for id in (stuck, other):
        bench.rows.delete(id)
    store.refuse(bench.files, dataset_folder(stuck), monkeypatch)
    bench.sweep()
    assert bench.rows.to_clean() == [stuck] and not bench.files.exists(dataset_folder(other))
    monkeypatch.undo()
    bench.sweep()
    assert not bench.rows.to_clean() and not bench.files.exists(dataset_folder(stuck))


def test_a_message_only_wakes(bench: Bench) -> None:
    woken = []
    runtime = type("Runtime", (), {"wake": lambda self: woken.append(1)})()
    task: Any = type("Task", (), {"app": type("App", (), {"runtime": runtime})()})()
    validate_dataset(task, **ValidateDatasetMessage("d1", "r1").to_json())
    assert woken == [1]
