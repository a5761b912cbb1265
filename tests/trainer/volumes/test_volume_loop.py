"""Volumes go through the worker beside single slices, whatever happens to the process that reads them."""

import sys
import time

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from shared.contract.messages import SegmentMessage, SegmentVolumeMessage
from shared.contract.names import SegmentationKind
from shared.files.paths import probability_zip_path, segmentation_folder, source_path, volume_path
from shared.jobs.segmentations import NewSegmentation
from tests.fakes import store
from tests.fakes.inference import SIZE, FakeEngine, FakeLink, served
from trainer.engines.warm_models import WarmModels
from trainer.inference.held_claims import HeldClaims
from trainer.inference.slice_worker import SliceWorker
from trainer.volumes.settings import VolumeSettings
from trainer.volumes.volume_loop import VolumeLoop
from trainer.volumes.volume_workspace import VolumeSweeper

# What it does is what the source says: the stored file of these tests is a line of Python.
CHILD = """
import json, os, signal, sys, time
from pathlib import Path
import numpy as np
order = json.loads(sys.stdin.readline())
folder = Path(order["folder"])
def reading():
    say("reading")
def say(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)
def volume(slices=6):
    pixels = np.zeros((slices, 32, 32, 1), np.uint8)
    pixels[1, 4:8, 4:9] = 255
    np.save(folder / "volume.npy", pixels)
    say("decoded", image={"slices": slices, "width": 32, "height": 32},
        plane="axial", channels=[0, 0, 0], spacing_mm=[1, 1, 1])
def finish():
    assert sys.stdin.readline() == "go on\\n"
    probability = np.load(folder / "probability.npy")
    (folder / "probability.zip").write_bytes(b"maps")
    areas = (probability == 255).sum(axis=(1, 2)).tolist()
    say("finished", result={"areas": areas}, warnings=[{"code": "w", "detail": "d"}])
exec(Path(order["source"]).read_text())
"""


class Bench:
    """An inference worker, and volumes whose source says what happens."""

    def __init__(self, jobs, files, tmp_path, engine=None, **changes):
        self.jobs, self.files, self.link = jobs, files, FakeLink()
        self.engine = engine or FakeEngine()
        self.models = WarmModels(lambda id: served(self.engine, id), limit=3)
        self.held = HeldClaims(jobs, "w1", 10)
        self.work = tmp_path / "work"
        settings = VolumeSettings(self.work, command=(sys.executable, "-c", CHILD), **changes)
        self.worker = SliceWorker(jobs, files, self.link, self.models, self.held)
        self.volumes = VolumeLoop(
            jobs,
            files,
            self.models,
            self.held,
            self.worker.completion,
            forward=self.worker.forward.submit,
            settings=settings,
        )
        self.worker.start()
        self.volumes.start()

    def stop(self):
        """As the worker process does it."""
        self.volumes.halt()
        self.worker.close(5)
        self.volumes.join(5)
        self.worker.give_back()

    def volume(self, does="volume()\nfinish()"):
        new = NewSegmentation(
            owner="o", request_id="r-1", image={"files": 1}, model_id="m", kind=SegmentationKind.VOLUME
        )
        self.files.write(source_path(new.id), does.encode())
        self.jobs.accept(new)
        self.volumes.submit(SegmentVolumeMessage(new.id, "r-1"))
        return new.id

    def until(self, holds, seconds=20):
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, [p.read_text() for p in self.work.glob("*/log.txt")]
            time.sleep(0.01)

    def ended(self, id):
        self.until(lambda: self.jobs.get(id).ended and not list(self.work.glob("*")))
        return self.jobs.get(id)


@pytest.fixture
def bench(jobs, files, tmp_path):
    made = Bench(jobs, files, tmp_path)
    yield made
    made.engine.go.set()
    made.stop()


def test_a_volume_ends_with_its_result_and_its_files_and_without_what_was_sent(bench):
    id = bench.volume()
    row = bench.ended(id)
    assert (row.status, row.progress) == ("succeeded", 1.0)
    assert row.result == {"areas": [0, 20, 0, 0, 0, 0]}
    assert row.image == {"files": 1, "slices": 6, "width": 32, "height": 32}
    assert row.warnings == [{"code": "w", "detail": "d"}]
    assert bench.link.said[id] == [{"status": "succeeded"}]  # the rest is read from the row
    assert set(row.timings) == {"decode", "queue", "preprocess", "forward", "postprocess", "total"}
    assert bench.files.read(probability_zip_path(id)) == b"maps"
    assert bench.files.exists(volume_path(id))
    bench.until(lambda: not bench.files.exists(source_path(id)))


@pytest.mark.parametrize(
    ("does", "code"),
    [
        ('say("failed", code="mixed_orientation", message="two planes")', "mixed_orientation"),
        ('say("failed", code="nothing_known", message="x")', "volume_failed"),
        ("reading()\nos.kill(os.getpid(), signal.SIGSEGV)", "undecodable_image"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "volume_failed"),
    ],
)
def test_what_breaks_the_child_fails_the_job_by_name_and_nothing_else(bench, does, code):
    row = bench.ended(bench.volume(does))
    assert (row.status, row.error["code"]) == ("failed", code)
    bench.until(lambda: not bench.files.exists(source_path(row.id)))
    assert bench.ended(bench.volume()).status == "succeeded"


@pytest.mark.parametrize(
    "does",
    ["reading()\nsys.exit(3)", "os.abort()", "volume()\nsys.stdin.readline()\nos.kill(os.getpid(), 9)"],
)
def test_a_child_that_is_gone_for_no_fault_of_the_file_leaves_the_job_to_another_attempt(bench, clock, does):
    again = "flag = Path(order['source'] + '.tried')\nif flag.exists():\n    volume()\n    finish()\n    sys.exit()\n"
    id = bench.volume(again + "flag.touch()\n" + does)
    bench.until(lambda: bench.jobs.get(id).attempts == 1 and not list(bench.work.glob("*")))
    assert bench.jobs.get(id).status == "running"
    clock.skip(60)  # the lease runs out
    bench.volumes.submit(SegmentVolumeMessage(id, "r-1"))
    assert bench.ended(id).status == "succeeded"


def test_a_volume_whose_files_are_gone_fails(bench):
    new = NewSegmentation(owner="o", request_id="r-1", image={}, model_id="m", kind=SegmentationKind.VOLUME)
    bench.jobs.accept(new)
    bench.volumes.submit(SegmentVolumeMessage(new.id, "r-1"))
    assert bench.ended(new.id).error["code"] == "pixels_gone"


def test_a_deleted_volume_stops_at_once_and_leaves_nothing(bench):
    id = bench.volume("volume()\ntime.sleep(600)")
    bench.until(lambda: list(bench.work.glob("*/volume.npy")))
    bench.jobs.delete_pixels(id)
    bench.files.delete_tree(segmentation_folder(id))
    bench.held.renew()
    bench.until(lambda: not list(bench.work.glob("*")), 5)
    assert not bench.files.exists(segmentation_folder(id))


def test_a_volume_that_takes_too_long_lets_the_next_one_go_on(jobs, files, tmp_path):
    bench = Bench(jobs, files, tmp_path, timeout_s=1)
    try:
        row = bench.ended(bench.volume("reading()\ntime.sleep(600)"))
        assert (row.status, row.error["code"]) == ("failed", "volume_failed")
        assert "1 seconds" in row.error["message"]
    finally:
        bench.stop()


def test_a_job_that_was_deleted_stores_nothing_in_a_pacs(bench):
    id = bench.volume(
        "volume()\nassert sys.stdin.readline()\nPath(order['source'] + '.asks').touch()\ntime.sleep(1)\n"
        "say('storing')\nsys.stdin.readline()\nPath(order['source'] + '.stores').touch()\ntime.sleep(600)"
    )
    folder = bench.files.local_path(segmentation_folder(id))
    bench.until(lambda: (folder / "source.zip.asks").exists())
    bench.jobs.cancel(id)
    bench.until(lambda: not list(bench.work.glob("*")), 10)
    assert not (folder / "source.zip.stores").exists()


def test_a_database_that_is_away_for_a_moment_fails_no_job_that_is_about_to_store(bench, monkeypatch):
    ask, away = bench.jobs.progress, [OperationalError("x", None, Exception("away"))] * 2

    def progress(*values):
        if away:
            raise away.pop()
        return ask(*values)

    monkeypatch.setattr(bench.jobs, "progress", progress)
    id = bench.volume(
        "volume()\nassert sys.stdin.readline()\nsay('storing')\nassert sys.stdin.readline() == 'go on\\n'\n"
        "say('finished', result={'stored': 1}, warnings=[])"
    )
    assert bench.ended(id).result == {"stored": 1}
    assert not away


def test_a_volume_that_is_sent_as_a_picture_is_given_back(bench):
    new = NewSegmentation(owner="o", request_id="r-1", image={}, model_id="m", kind=SegmentationKind.VOLUME)
    bench.jobs.accept(new)
    bench.worker.submit(SegmentMessage(new.id, "r-1"))
    bench.until(lambda: bench.jobs.get(new.id).fence == 1 and bench.jobs.get(new.id).status == "queued")
    assert [due.kind for due in bench.jobs.due()] == ["volume"]


def test_what_was_sent_is_swept_once_its_job_has_ended(bench, jobs, files):
    ended, waits = (
        NewSegmentation(owner="o", request_id="r-1", image={}, model_id="m", kind=SegmentationKind.VOLUME)
        for _ in range(2)
    )
    for new in (ended, waits):
        files.write(source_path(new.id), b"as sent")
        jobs.accept(new)
    jobs.cancel(ended.id)
    VolumeSweeper(bench.work, jobs, files).run()
    assert not files.exists(source_path(ended.id))
    assert files.exists(source_path(waits.id))


def test_one_that_cannot_be_removed_keeps_no_other_and_is_tried_again(bench, jobs, files, monkeypatch):
    ended = [
        NewSegmentation(owner="o", request_id="r", image={}, model_id="m", kind=SegmentationKind.VOLUME)
        for _ in range(2)
    ]
    for new in ended:
        files.write(source_path(new.id), b"as sent")
        jobs.accept(new)
        jobs.cancel(new.id)
    sweeper = VolumeSweeper(bench.work, jobs, files)
    store.refuse(files, source_path(ended[0].id), monkeypatch)
    sweeper.run()
    assert [files.exists(source_path(new.id)) for new in ended] == [True, False]
    monkeypatch.undo()
    sweeper.run()
    assert not files.exists(source_path(ended[0].id))


def test_a_worker_that_stops_gives_the_volume_back(bench):
    id = bench.volume("volume()\ntime.sleep(600)")
    bench.until(lambda: list(bench.work.glob("*/volume.npy")))
    bench.stop()
    row = bench.jobs.get(id)
    assert (row.status, row.attempts) == ("queued", 0)
    assert bench.files.exists(source_path(id))
    assert not list(bench.work.glob("*"))


def test_a_single_slice_overtakes_a_volume(bench, accept):
    volume = bench.volume("time.sleep(1)\nvolume(40)\ntime.sleep(600)")
    bench.until(lambda: list(bench.work.glob("*")))
    for _ in range(3):
        slice_ = accept(np.full((SIZE, SIZE, 3), 255, np.uint8))
        bench.worker.submit(SegmentMessage(slice_, "r-1"))
        bench.until(lambda id=slice_: bench.jobs.get(id).ended, 5)
    assert not bench.jobs.get(volume).ended
    bench.jobs.cancel(volume)
    bench.held.renew()


def test_a_hint_that_comes_again_and_again_is_one(bench):
    first = bench.volume("time.sleep(0.5)\nvolume()\nfinish()")
    second = bench.volume()
    for _ in range(5):
        bench.volumes.submit(SegmentVolumeMessage(second, "r-1"))
    assert bench.ended(first).status == bench.ended(second).status == "succeeded"
    assert bench.jobs.get(second).attempts == 1


def test_progress_is_told(bench):
    id = bench.volume(
        'say("progress", share=0.5)\ntime.sleep(1.2)\nsay("progress", share=0.5)\ntime.sleep(600)'
    )
    bench.until(lambda: bench.jobs.get(id).progress > 0)
    assert bench.jobs.get(id).progress == pytest.approx(0.1)
    bench.jobs.cancel(id)
    bench.held.renew()


def test_folders_of_killed_workers_are_swept_and_others_are_not(bench, jobs, files):
    id = bench.volume("volume()\ntime.sleep(600)")
    bench.until(lambda: list(bench.work.glob("*/volume.npy")))
    for name in (f"{id}.7", "nobody.1"):
        (bench.work / name).mkdir()
    VolumeSweeper(bench.work, jobs, files).run()
    assert [path.name for path in bench.work.iterdir()] == [f"{id}.1"]
    bench.jobs.cancel(id)
    bench.held.renew()
