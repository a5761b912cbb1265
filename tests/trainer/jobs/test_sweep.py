"""Folders that nobody needs any more are removed, those of the living are not."""

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from shared.contract.errors import NotFound
from trainer.jobs.sweep import attempt_folder, is_under_way, remove, sweep


@dataclass
class Row:
    fence: int
    ended: bool = False


def rows(**known):
    def get(id):
        if id not in known:
            raise NotFound(f"no {id}")
        return known[id]

    return get


def lying(root):
    return sorted(path.name for path in root.iterdir())


def test_what_is_wanted_stays_and_all_else_goes(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name / "inner").mkdir(parents=True)
    (tmp_path / "a file").write_bytes(b"")
    sweep(tmp_path, lambda name: name == "b")
    assert lying(tmp_path) == ["a file", "b"]


def test_a_place_that_is_not_there_yet_has_nothing_to_sweep(tmp_path):
    sweep(tmp_path / "none", lambda name: False)


def test_what_is_half_made_is_left_to_who_makes_it_for_a_day(tmp_path):
    for name, age_s in ((".old", 90_000), (".new", 10)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    sweep(tmp_path, lambda name: False)
    assert lying(tmp_path) == [".new"]


def test_another_worker_may_sweep_at_the_same_time(tmp_path):
    (tmp_path / "a").mkdir()

    def swept_by_another(name):
        (tmp_path / name).rmdir()
        return False

    sweep(tmp_path, swept_by_another)
    assert lying(tmp_path) == []


def test_a_folder_is_never_seen_half_removed(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    seen = []
    monkeypatch.setattr("trainer.jobs.sweep.shutil.rmtree", lambda path, **_: seen.append(path.name))
    remove(tmp_path / "a")
    assert seen == lying(tmp_path) and seen[0].startswith(".")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("job.2", True), ("job.1", False), ("ended.2", False), ("unknown.2", False), ("x", False), ("job.x", False)],
)  # fmt: skip
def test_an_attempt_s_folder_is_wanted_as_long_as_its_row_is_the_attempt_s(name, wanted):
    assert is_under_way(rows(job=Row(2), ended=Row(2, ended=True)), name) is wanted


def test_it_is_called_after_its_job_and_its_fence():
    folder = attempt_folder(Path("work"), "job", 2)
    assert partial(is_under_way, rows(job=Row(2)))(folder.name)
