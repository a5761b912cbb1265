"""Datasets as folders on this host: unpacked once, whole or not there, and gone when they should be."""

import errno
import hashlib
import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from shared.contract.config import DatasetSettings
from shared.contract.errors import DatasetGone, DiskFull, UnsafeArchive
from shared.files.paths import dataset_archive_path
from shared.files.store import FileStore
from tests.fakes import zips
from trainer.datasets import local_datasets as module
from trainer.datasets.local_datasets import LocalDatasets

FILES = {"P0/a.png": b"one", "P1/b.png": b"two" * 100}
ZIP = zips.archive(FILES)


@dataclass(frozen=True)
class Stored:
    id: str = "d1"
    folder: str | None = None
    archive_sha256: str | None = hashlib.sha256(ZIP).hexdigest()


@pytest.fixture(params=["local", "remote"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    url = tmp_path / "store" if request.param == "local" else f"memory://local-{tmp_path.name}"
    store = FileStore(url)
    store.write(dataset_archive_path("d1"), ZIP)
    return store


def local(files: FileStore, tmp_path: Path, **settings: Any) -> LocalDatasets:
    return LocalDatasets(files, tmp_path / "cache", DatasetSettings(**settings))


def lying(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "datasets").iterdir())


def test_an_archive_is_unpacked_once(files: FileStore, tmp_path: Path) -> None:
    datasets = local(files, tmp_path)
    told: list[tuple[int, int]] = []
    folder = datasets.folder(Stored(), lambda done, of: told.append((done, of)))
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.png")} == FILES
    assert told[-1] == (303, 303) and lying(tmp_path) == ["d1"]
    files.delete_tree("datasets")
    assert datasets.folder(Stored()) == local(files, tmp_path).folder(Stored()) == folder


def test_two_at_once_unpack_it_once(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    unpack = module.unpack
    monkeypatch.setattr(
        module, "unpack", lambda *given: (calls.append(1), time.sleep(0.05), unpack(*given))[-1]
    )
    datasets = local(files, tmp_path)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(datasets.folder(Stored()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 4 and len(calls) == 1


def test_two_processes_at_once_do_each_other_no_harm(files: FileStore, tmp_path: Path) -> None:
    one, two = local(files, tmp_path), local(files, tmp_path)

    def meanwhile(done: int, of: int) -> None:
        if done:
            two.folder(Stored())

    assert one.folder(Stored(), meanwhile) == two.folder(Stored())
    assert lying(tmp_path) == ["d1"]


def test_a_broken_archive_leaves_nothing(files: FileStore, tmp_path: Path) -> None:
    datasets = local(files, tmp_path)
    with pytest.raises(UnsafeArchive, match="SHA-256"):
        datasets.folder(replace(Stored(), archive_sha256="0" * 64))
    bad = zips.by_hand([zips.Entry("a.png"), zips.Entry("b.png", crc=1)])
    files.write(dataset_archive_path("d1"), bad)
    with pytest.raises(UnsafeArchive, match=r"b\.png"):
        datasets.folder(replace(Stored(), archive_sha256=None))
    assert lying(tmp_path) == []


def test_breaking_off_leaves_nothing(files: FileStore, tmp_path: Path) -> None:
    def enough(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local(files, tmp_path).folder(Stored(), enough)
    assert lying(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(
    number: int, files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(number, "full")

    monkeypatch.setattr(module, "unpack", full)
    with pytest.raises(DiskFull):
        local(files, tmp_path).folder(Stored())
    assert lying(tmp_path) == []


def test_too_little_space_is_said_before_anything_is_written(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(DiskFull, match="303"):
        local(files, tmp_path).folder(Stored())


def test_other_trouble_of_the_disk_is_not_called_full(files: FileStore, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(OSError, match="cache") as caught:
        local(files, tmp_path).folder(Stored())
    assert not isinstance(caught.value, DiskFull)


def test_what_is_gone_is_said(files: FileStore, tmp_path: Path) -> None:
    (tmp_path / "operator" / "lgg").mkdir(parents=True)
    datasets = local(files, tmp_path, datasets_dir=tmp_path / "operator")
    assert datasets.folder(Stored(folder="lgg")) == tmp_path / "operator" / "lgg"
    for stored in (Stored(id="d2"), Stored(folder="other")):
        with pytest.raises(DatasetGone):
            datasets.folder(stored)
    with pytest.raises(DatasetGone, match="DATASETS_DIR"):
        local(files, tmp_path).folder(Stored(folder="lgg"))


def test_forgetting_removes_the_copy_and_removing_the_archive_too(files: FileStore, tmp_path: Path) -> None:
    datasets = local(files, tmp_path)
    datasets.forget("d1")
    datasets.folder(Stored())
    datasets.forget("d1")
    assert lying(tmp_path) == [] and files.exists(dataset_archive_path("d1"))
    datasets.folder(Stored())
    assert datasets.try_remove("d1")
    assert lying(tmp_path) == [] and not files.exists(dataset_archive_path("d1"))


def test_left_overs_of_the_dead_are_removed_and_those_of_the_living_are_not(
    files: FileStore, tmp_path: Path
) -> None:
    datasets = local(files, tmp_path)
    datasets.sweep(lambda id: False)
    datasets.folder(Stored())
    for name, age_s in ((".old", 90_000), (".new", 10)):
        (tmp_path / "cache" / "datasets" / name).mkdir()
        os.utime(tmp_path / "cache" / "datasets" / name, (time.time() - age_s,) * 2)
    datasets.sweep(lambda id: id == "d1")
    assert lying(tmp_path) == [".new", "d1"]
