"""Jobs go through the inference worker once, each by itself, whatever happens to others and around it."""

import threading
import time

import cv2
import numpy as np
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from shared.contract.errors import ModelUnusable
from shared.contract.messages import SegmentMessage
from shared.files.npy import to_npy
from shared.files.paths import pixels_path, probability_path, segmentation_folder
from shared.masks import rle
from tests.fakes.inference import SIZE, FakeEngine, FakeLink, served
from trainer.engines.warm_models import WarmModels
from trainer.inference import completion
from trainer.inference.held_claims import HeldClaims
from trainer.inference.slice_worker import SliceWorker
from trainer.jobs import patience

DARK = np.zeros((SIZE, SIZE, 3), np.uint8)


class Bench:
    """A worker with everything around it, and a way to wait."""

    def __init__(self, jobs, files, engine=None, open_model=None):
        self.jobs, self.files, self.link = jobs, files, FakeLink()
        self.engine = engine or FakeEngine()
        self.models = WarmModels(open_model or (lambda id: served(self.engine, id)), limit=3)
        self.held = HeldClaims(jobs, "w1", 10)
        self.worker = SliceWorker(jobs, files, self.link, self.models, self.held)

    def run(self, *ids):
        """Submit, and wait for the ends."""
        self.worker.start()
        for id in ids:
            self.worker.submit(SegmentMessage(id, "r-1"))
        return self.ended(*ids)

    def ended(self, *ids):
        deadline = time.monotonic() + 20
        while not all(self.jobs.get(id).ended for id in ids):
            assert time.monotonic() < deadline, [self.jobs.get(id).status for id in ids]
            time.sleep(0.005)
        self.worker.stop(20)
        return [self.jobs.get(id) for id in ids]


@pytest.fixture
def bench(jobs, files):
    made = []

    def build(**options):
        made.append(Bench(jobs, files, **options))
        return made[-1]

    yield build
    for one in made:
        one.engine.go.set()
        one.worker.stop(5)


def test_a_job_ends_with_its_result_its_map_and_a_push(bench, accept):
    pixels = DARK.copy()
    pixels[4:12, 6:20] = 255
    one, id = bench(), accept(pixels)
    (row,) = one.run(id)
    assert row.status == "succeeded"
    mask = rle.decode(row.result["mask"])
    assert np.array_equal(mask, pixels[..., 0] > 0)
    assert row.result["area_mm2"] == 8 * 14 * 0.25
    published = cv2.imdecode(
        np.frombuffer(one.files.read(probability_path(id)), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert np.array_equal(published, mask * 255)
    (said,) = one.link.said[id]
    assert said["status"] == "succeeded"
    assert said["result"] == row.result
    assert said["timings"] == row.timings
    assert said["finished_at"] == row.finished_at.isoformat()
    assert said["error"] is None
    assert one.held.all() == []


def test_the_times_are_told(bench, accept):
    one, id = bench(), accept()
    (row,) = one.run(id)
    assert set(row.timings) == {"decode", "queue", "preprocess", "forward", "postprocess", "total"}
    assert row.timings["decode"] == 1.5
    assert row.timings["total"] >= row.timings["forward"] + row.timings["postprocess"] > 0


def test_pixels_come_from_the_cache_if_they_are_there(bench, accept, files):
    one, id = bench(), accept(DARK)
    one.link.cache[id] = to_npy(np.full((SIZE, SIZE, 3), 255, np.uint8))
    (row,) = one.run(id)
    assert row.result["coverage_percent"] == 100


def test_without_redis_the_work_goes_on(bench, accept):
    one = bench()
    one.link.away = True
    (row,) = one.run(accept())
    assert row.status == "succeeded"


def test_many_jobs_share_transactions_and_batches_and_each_gets_its_own_answer(bench, accept):
    one = bench()
    pictures = {}
    for value in range(40):
        pixels = DARK.copy()
        pixels[: value % SIZE, :8] = 255
        pictures[accept(pixels)] = (value % SIZE) * 8
    rows = one.run(*pictures)
    assert [row.result["area_pixels"] for row in rows] == list(pictures.values())
    assert max(one.engine.batches) > 1


def test_a_message_that_comes_twice_does_the_work_once(bench, accept):
    one, id = bench(), accept()
    one.worker.start()
    for _ in range(5):
        one.worker.submit(SegmentMessage(id, "r-1"))
    (row,) = one.ended(id)
    assert row.attempts == 1
    assert len(one.link.said[id]) == 1
    assert one.engine.batches == [1]


def test_a_message_without_a_row_is_nothing(bench, accept):
    one, id = bench(), accept()
    one.worker.start()
    one.worker.submit(SegmentMessage("nobody", "r-1"))
    one.worker.submit(SegmentMessage(id, "r-1"))
    assert one.ended(id)[0].status == "succeeded"


def test_pixels_that_are_gone_fail_the_job_with_a_reason(bench, accept, files):
    one, lost, whole = bench(), accept(), accept()
    files.delete_tree(segmentation_folder(lost))
    rows = one.run(lost, whole)
    assert rows[0].error["code"] == "pixels_gone"
    assert "send the image again" in rows[0].error["message"]
    assert rows[1].status == "succeeded"
    assert one.link.said[lost][0]["error"] == rows[0].error


def test_damaged_pixels_fail_the_job_and_not_its_neighbours(bench, accept, files):
    one, bad, good = bench(), accept(), accept()
    files.write(pixels_path(bad), b"not an array")
    rows = one.run(bad, good)
    assert [row.status for row in rows] == ["failed", "succeeded"]
    assert rows[0].error["code"] == "inference_failed"


def test_a_forward_that_runs_out_of_memory_fails_only_the_slice_that_causes_it(bench, accept):
    one = bench(engine=FakeEngine(max_batch=8, breaks_on=2.0))
    dark = [accept(DARK) for _ in range(3)]
    bright = accept()  # full brightness is 2.2 after normalisation
    rows = one.run(*dark, bright)
    assert [row.status for row in rows] == ["succeeded"] * 3 + ["failed"]
    assert rows[3].error["code"] == "inference_failed"
    assert "MemoryError" in rows[3].error["message"]


def test_a_batch_that_is_too_large_is_tried_in_single_slices(bench, accept):
    one = bench(engine=FakeEngine(max_batch=4, smallest_breaking_batch=2))
    rows = one.run(*[accept() for _ in range(8)])
    assert {row.status for row in rows} == {"succeeded"}


def test_a_model_that_cannot_be_used_fails_its_jobs_and_no_others(bench, accept):
    def open_model(id):
        if id == "bad":
            raise ModelUnusable("the weights of the model bad are not those of its card")
        return served(FakeEngine(), id)

    one = bench(open_model=open_model)
    rows = one.run(accept(model_id="bad"), accept(model_id="good"), accept(model_id="bad"))
    assert [row.status for row in rows] == ["failed", "succeeded", "failed"]
    assert rows[0].error["code"] == "model_unusable"
    assert "not those of its card" in rows[0].error["message"]


def test_jobs_of_a_warm_model_do_not_wait_for_one_that_is_loading(bench, accept):
    loading = threading.Event()

    def open_model(id):
        if id == "slow":
            assert loading.wait(20)
        return served(FakeEngine(), id)

    one = bench(open_model=open_model)
    one.models.warm_up("fast")
    slow, fast = accept(model_id="slow"), accept(model_id="fast")
    one.worker.start()
    for id in (slow, fast):
        one.worker.submit(SegmentMessage(id, "r-1"))
    deadline = time.monotonic() + 20
    while not one.jobs.get(fast).ended:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert one.jobs.get(slow).status == "running"
    loading.set()
    assert one.ended(slow)[0].status == "succeeded"


def test_a_job_that_is_deleted_while_it_runs_leaves_nothing_behind(bench, accept, files):
    one, id = bench(), accept()
    one.engine.go.clear()
    one.worker.start()
    one.worker.submit(SegmentMessage(id, "r-1"))
    deadline = time.monotonic() + 20
    while one.jobs.get(id).status != "running":
        assert time.monotonic() < deadline
        time.sleep(0.005)
    one.jobs.delete_pixels(id)
    files.delete_tree(segmentation_folder(id))
    one.engine.go.set()
    one.worker.stop(20)
    assert one.jobs.get(id).status == "cancelled"
    assert one.jobs.get(id).result is None
    assert not files.exists(segmentation_folder(id))
    assert id not in one.link.said


def test_a_job_that_another_worker_took_over_is_left_to_it(bench, accept, files, clock):
    one, id = bench(), accept()
    one.engine.go.clear()
    one.worker.start()
    one.worker.submit(SegmentMessage(id, "r-1"))
    deadline = time.monotonic() + 20
    while one.jobs.get(id).status != "running":
        assert time.monotonic() < deadline
        time.sleep(0.005)
    clock.skip(11)  # this worker's heartbeat stood still
    (claim,) = one.jobs.claim([id], "w2", 10)
    one.engine.go.set()
    one.worker.stop(20)
    assert one.jobs.get(id).status == "running"
    assert id not in one.link.said
    assert files.exists(pixels_path(id))
    assert one.jobs.finish(claim, {"by": "w2"}, {})


def test_stopping_gives_back_what_was_not_begun(bench, accept):
    one = bench(engine=FakeEngine(max_batch=1))
    one.engine.go.clear()
    ids = [accept() for _ in range(5)]
    one.worker.start()
    for id in ids:
        one.worker.submit(SegmentMessage(id, "r-1"))
    deadline = time.monotonic() + 20
    while len(one.held.all()) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    one.worker.stop(0.05)
    rows = [one.jobs.get(id) for id in ids]
    assert {row.status for row in rows} == {"queued"}
    assert {row.attempts for row in rows} == {0}
    assert {job.id for job in one.jobs.due()} == set(ids)


def test_stopping_finishes_what_is_in_flight(bench, accept):
    one = bench()
    one.models.warm_up("m")
    ids = [accept() for _ in range(20)]
    one.worker.start()
    for id in ids:
        one.worker.submit(SegmentMessage(id, "r-1"))
    one.worker.stop(20)
    assert {one.jobs.get(id).status for id in ids} == {"succeeded"}


def test_after_the_stop_messages_are_left_to_others(bench, accept):
    one, id = bench(), accept()
    one.worker.start()
    one.worker.stop(5)
    one.worker.submit(SegmentMessage(id, "r-1"))
    assert one.jobs.get(id).status == "queued"
    assert one.worker.wait_for_room(0)


class Flaky:
    """Jobs whose database is away for some calls."""

    def __init__(self, jobs, failures, only):
        self._jobs, self._failures, self._only = jobs, failures, only

    def __getattr__(self, name):
        method = getattr(self._jobs, name)
        if name != self._only:
            return method

        def call(*arguments, **named):
            if self._failures > 0:
                self._failures -= 1
                raise OperationalError("", {}, Exception("the database is away"))
            return method(*arguments, **named)

        return call


def test_the_end_is_written_when_the_database_is_back(bench, accept, jobs, files, monkeypatch):
    monkeypatch.setattr(patience, "_PAUSE_S", 0.001)
    one, id = Bench(Flaky(jobs, 5, only="finish_many"), files), accept()
    assert one.run(id)[0].status == "succeeded"
    assert len(one.link.said[id]) == 1


def test_a_database_that_stays_away_costs_an_attempt_and_not_the_worker(accept, jobs, files, monkeypatch):
    monkeypatch.setattr(completion, "PATIENCE_S", -1.0)
    one, id = Bench(Flaky(jobs, 1, only="finish_many"), files), accept()
    one.worker.start()
    one.worker.submit(SegmentMessage(id, "r-1"))
    deadline = time.monotonic() + 20
    while not one.engine.batches or one.held.all():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert jobs.get(id).status == "running"  # until its lease runs out
    next_one = accept()
    one.worker.submit(SegmentMessage(next_one, "r-1"))
    assert one.ended(next_one)[0].status == "succeeded"


def test_a_claim_that_fails_leaves_the_rows_queued(accept, jobs, files):
    one, id = Bench(Flaky(jobs, 1, only="claim"), files), accept()
    one.worker.start()
    one.worker.submit(SegmentMessage(id, "r-1"))
    one.worker.stop(5)
    assert jobs.get(id).status == "queued"


def test_every_line_about_a_job_carries_its_request_id(bench, accept, files):
    one, good, bad = bench(), accept(), accept()
    files.delete_tree(segmentation_folder(bad))
    with capture_logs() as lines:
        one.run(good, bad)
    told = {(line["event"], line["job_id"]): line["request_id"] for line in lines if "job_id" in line}
    assert told == {("segmented", good): "r-1", ("job_failed", bad): "r-1"}


def test_a_network_that_answers_after_the_stop_disturbs_nobody(bench, accept):
    one, id = bench(), accept()
    one.models.warm_up("m")
    one.engine.go.clear()
    one.worker.start()
    one.worker.submit(SegmentMessage(id, "r-1"))
    deadline = time.monotonic() + 20
    while not one.held.all():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    with capture_logs() as lines:
        one.worker.stop(0.05)
        one.engine.go.set()
        one.worker.stop(5)
    assert one.jobs.get(id).status == "queued"
    assert "stage_failed" not in [line["event"] for line in lines]
