"""An evaluation to each of its ends; nothing is kept of one that was deleted or is another's by now."""

import errno
import time

import psutil
import pytest

from shared.contract.errors import DatasetGone, ModelUnusable
from shared.database.database import Database, create_all
from shared.database.models import Models
from shared.files.paths import evaluation_folder, evaluation_report_path
from shared.files.store import FileStore
from shared.jobs.dataset_views import NewDataset
from shared.jobs.datasets import Datasets
from shared.jobs.evaluations import SETTLED, Evaluations, NewEvaluation
from tests.fakes import store, trainee
from tests.fakes.cards import card
from trainer.evaluation.evaluation_job import EvaluationJob
from trainer.evaluation.evaluation_tools import EvaluationSettings, EvaluationTools
from trainer.jobs import child_process, supervision
from trainer.jobs.child_process import ChildProcess

RESULT = {"dice": {"patient": {"mean": 0.9}}}
FINISHED = [["write", "report.html", 7], ["send", {"event": "finished", "result": RESULT}]]


class Bench:
    """An evaluation with a real database, store and process; what the process does is a script."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.database = Database(f"sqlite:///{tmp_path}/db.sqlite3")
        create_all(self.database)
        self.evaluations = Evaluations(self.database, max_attempts=3)
        self.datasets, self.models = Datasets(self.database), Models(self.database)
        self.files = FileStore(tmp_path / "files")
        self.orders, self.processes, self.swept = [], [], 0
        self.script, self.stop, self.error, self.meanwhile = [], False, None, lambda: None
        self.work_dir = tmp_path / "work"
        options = {"mask_suffix": "_m"}
        self.dataset = self.datasets.accept(NewDataset("me", "d", "lgg", options, "r", folder="d"))
        self.datasets.ready(self.datasets.claim_next("w", 10), format="lgg", report={}, findings=[])
        for id in ("mine", "other"):
            self.models.register(card(id), f"models/{id}")
        new = NewEvaluation("me", "mine", "other", self.dataset.id, "test", False, "req-1")
        self.id = self.evaluations.accept(new).id
        settings = EvaluationSettings(
            self.work_dir, "cpu", 3, 5, 10.0, engine="openvino", cache_dir=tmp_path / "cache"
        )
        tools = EvaluationTools(
            self.evaluations, self.datasets, self.models, self, self, self.files, settings, self.start
        )
        self.job = EvaluationJob(tools, lambda: self.stop)

    def folder(self, stored, on_progress=None):
        """Of a model or of the dataset."""
        if self.error:
            raise self.error
        return self.tmp_path / stored.id

    def sweep(self, registry):
        self.swept += 1

    def start(self, order, log):
        self.orders.append(order)
        told = trainee.order(self.tmp_path, *self.script, out=order.out)
        self.processes.append(ChildProcess(trainee.COMMAND, told, log))
        self.meanwhile()
        return self.processes[-1]

    def do(self, *script):
        """One claim, one attempt."""
        self.script = script
        self.job.run(self.evaluations.claim_next("w", 10))
        return self.view()

    def view(self):
        return self.evaluations.get(self.id)

    def left_over(self):
        return list(self.work_dir.rglob("*"))

    def stored(self):
        return sorted(path.name for path in (self.tmp_path / "files").rglob("*") if path.is_file())


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.database.close()


def test_one_that_succeeds_has_a_result_and_a_report(bench):
    view = bench.do(["send", {"event": "progress", "share": 0.5}], *FINISHED)
    assert (view.status, view.error, view.result, view.progress) == ("succeeded", None, RESULT, 1.0)
    assert bench.files.read(evaluation_report_path(view.id, view.fence)) == b"x" * 7
    assert bench.left_over() == []


def test_the_order_has_all_that_was_asked_for(bench):
    bench.do()
    (order,) = bench.orders
    assert (order.model, order.against) == (str(bench.tmp_path / "mine"), str(bench.tmp_path / "other"))
    assert (order.data, order.format) == (str(bench.tmp_path / bench.dataset.id), "lgg")
    assert (order.options, order.dataset_name) == ({"mask_suffix": "_m"}, "d")
    assert (order.split, order.flips_on, order.device, order.threads, order.nice) == (
        "test",
        False,
        "cpu",
        3,
        5,
    )
    assert (order.engine, order.cache) == ("openvino", str(bench.tmp_path / "cache"))


def test_progress_is_kept_while_it_goes_on(bench):
    bench.do(["send", {"event": "progress", "share": 0.25}], ["exit", 1])
    seen = []
    progress = bench.evaluations.progress
    bench.evaluations.progress = lambda claim, share: seen.append(share) or progress(claim, share)
    bench.do(["send", {"event": "progress", "share": 0.5}], *FINISHED)
    assert seen == [0.5]


@pytest.mark.parametrize(
    ("code", "kept"), [("dataset_invalid", "dataset_invalid"), ("os", "evaluation_failed")]
)
def test_the_name_it_gave_the_failure_is_kept(bench, code, kept):
    view = bench.do(["send", {"event": "failed", "code": code, "message": "no test patients"}])
    assert (view.status, view.error) == ("failed", {"code": kept, "message": "no test patients"})
    assert bench.left_over() == [] and bench.stored() == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([["exit", 1]], "exit status 1"),
        ([["kill"]], "signal 9"),
        ([["send", {"event": "failed", "code": "out_of_memory", "message": "?"}]], "memory"),
    ],
)
def test_one_that_breaks_off_is_tried_again_and_given_up_with_the_reason(bench, script, why):
    for attempts in (1, 2):
        view = bench.do(*script)
        assert (view.status, view.attempts, view.error) == ("queued", attempts, None)
    view = bench.do(*script)
    assert (view.status, view.error["code"]) == ("failed", "attempts_exhausted")
    assert "3 times" in view.error["message"] and why in view.error["message"]
    assert bench.evaluations.claim_next("w", 10) is None


def test_one_that_breaks_off_once_succeeds_the_next_time(bench):
    bench.do(["kill"])
    view = bench.do(*FINISHED)
    assert (view.status, view.attempts, view.fence) == ("succeeded", 2, 2)


def test_one_that_the_kernel_ended_for_its_memory_fails_at_once_and_says_what_to_do(bench, monkeypatch):
    kills = iter(range(100))
    monkeypatch.setattr(child_process, "out_of_memory_kills", lambda: next(kills))
    view = bench.do(["kill"])
    assert (view.status, view.attempts, view.error["code"]) == ("failed", 1, "out_of_memory")
    assert "want of memory" in view.error["message"]
    assert "again when the worker has less to do" in view.error["message"]


@pytest.mark.parametrize(
    ("gone", "code", "says"),
    [
        (lambda bench: bench.datasets.delete(bench.dataset.id), "dataset_gone", "dataset was deleted"),
        (lambda bench: bench.models.delete("mine"), "model_unusable", "The model mine was deleted"),
        (lambda bench: bench.models.delete("other"), "model_unusable", "The model other was deleted"),
    ],
)
@pytest.mark.parametrize("when", ["before", "while it goes on", "before its process missed it"])
def test_what_was_deleted_meanwhile_is_named(bench, monkeypatch, gone, code, says, when):
    monkeypatch.setattr(supervision, "LOOK_EVERY_S", 0.0 if when == "while it goes on" else 60.0)
    if when == "before":
        gone(bench)
    else:
        bench.meanwhile = lambda: gone(bench)
    if when == "while it goes on":
        view = bench.do(["sleep", 60])
    else:
        view = bench.do(["send", {"event": "failed", "code": "evaluation_failed", "message": "no such file"}])
    assert (view.status, view.error["code"]) == ("failed", code)
    assert says in view.error["message"]
    assert len(bench.orders) == (0 if when == "before" else 1)


def test_one_that_is_deleted_is_broken_off_at_once_and_leaves_nothing(bench):
    bench.meanwhile = lambda: bench.evaluations.delete(bench.id)
    claim, begun = bench.evaluations.claim_next("w", 10), time.monotonic()
    bench.script = [["deaf"], ["child"], ["sleep", 60]]
    bench.job.run(claim)
    assert time.monotonic() - begun < 10
    assert not psutil.pid_exists(bench.processes[0].pid)
    assert bench.left_over() == [] and bench.stored() == []


def test_a_report_that_comes_too_late_is_not_kept(bench):
    def deleted_while_it_is_put(path, local):
        bench.evaluations.delete(bench.id)
        put(path, local)

    put, bench.files.put = bench.files.put, deleted_while_it_is_put
    bench.script = FINISHED
    bench.job.run(bench.evaluations.claim_next("w", 10))
    assert bench.stored() == []


def test_a_worker_that_was_given_up_changes_nothing(bench):
    def claimed_by_another():
        bench.evaluations.release(claim)
        other.append(bench.evaluations.claim_next("v", 10))
        bench.files.write(evaluation_report_path(bench.id, 2), b"the other's")

    claim, other = bench.evaluations.claim_next("w", 10), []
    bench.meanwhile, bench.script = claimed_by_another, FINISHED
    bench.job.run(claim)
    assert bench.view().status == "running"
    assert bench.evaluations.succeed(other[0], RESULT)
    assert bench.files.read(evaluation_report_path(bench.id, 2)) == b"the other's"
    assert bench.stored() == ["report.html"]


def test_a_worker_that_stops_leaves_it_to_another(bench):
    def stop():
        bench.stop = True

    bench.meanwhile = stop
    view = bench.do(["listen"])
    assert (view.status, view.attempts, view.error) == ("queued", 0, None)
    bench.stop = True  # before anything has begun
    assert bench.do().status == "queued" and len(bench.orders) == 1


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DatasetGone("gone"), "failed", "dataset_gone"),
        (ModelUnusable("damaged"), "failed", "model_unusable"),
        (OSError(errno.ENOSPC, "full"), "failed", "disk_full"),
        (OSError(errno.EIO, "store away"), "queued", None),
        (ZeroDivisionError(), "failed", "evaluation_failed"),
    ],
)
def test_what_goes_wrong_before_the_process_ends_it_too(bench, error, status, code):
    bench.error = error
    view = bench.do()
    assert (view.status, view.error and view.error["code"]) == (status, code)
    assert bench.orders == []


def test_a_result_that_is_no_json_is_a_failure_and_not_tried_for_ever(bench):
    nan = {"event": "finished", "result": {"dice": float("nan")}}
    view = bench.do(["write", "report.html", 7], ["send", nan])
    assert (view.status, view.error["code"]) == ("failed", "evaluation_failed")


def test_what_was_left_here_and_in_the_store_is_swept(bench):
    view = bench.do(["exit", 1])
    claim = bench.evaluations.claim_next("w", 10)
    for name in (f"{view.id}.1", f"{claim.id}.{claim.fence}", "unknown.3", "x"):
        (bench.work_dir / name).mkdir()
    deleted = bench.evaluations.accept(NewEvaluation("me", "mine", None, bench.dataset.id, "all", None, "r"))
    bench.evaluations.delete(deleted.id)
    bench.files.write(evaluation_report_path(deleted.id, 1), b"put there while it was deleted")
    now = bench.evaluations._clock
    bench.evaluations._clock = lambda: now() + SETTLED * 2
    bench.job.sweep()
    assert [path.name for path in bench.work_dir.iterdir()] == [f"{claim.id}.{claim.fence}"]
    assert bench.stored() == [] and bench.evaluations.to_clean() == []
    assert bench.swept == 1


def test_one_report_that_cannot_be_removed_keeps_no_other(bench, monkeypatch):
    deleted = []
    for name in ("stuck", "other"):
        new = NewEvaluation("me", name, None, bench.dataset.id, "all", None, "r")
        deleted.append(bench.evaluations.accept(new).id)
        bench.files.write(evaluation_report_path(deleted[-1], 1), b"report")
        bench.evaluations.delete(deleted[-1])
    now = bench.evaluations._clock
    bench.evaluations._clock = lambda: now() + SETTLED * 2
    store.refuse(bench.files, evaluation_folder(deleted[0]), monkeypatch)
    bench.job.sweep()
    assert bench.evaluations.to_clean() == deleted[:1] and bench.swept == 1
    monkeypatch.undo()
    bench.job.sweep()
    assert bench.evaluations.to_clean() == [] and bench.stored() == []
