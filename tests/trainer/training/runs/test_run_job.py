"""A run to each of its ends; what the process says is kept, and nothing is kept of one that is another's by now."""

import errno
import time
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy.exc import OperationalError

from shared.contract.errors import DatasetGone
from shared.contract.names import EventKind, RunStatus
from shared.database.database import Database, create_all
from shared.database.models import Models
from shared.files.store import FileStore
from shared.jobs.dataset_views import NewDataset
from shared.jobs.datasets import Datasets
from shared.jobs.run_views import NewRun
from shared.jobs.training_runs import TrainingRuns
from tests.fakes.cards import card
from tests.fakes.trainee import COMMAND
from trainer.jobs.child_process import ChildProcess
from trainer.jobs.lease import Lease
from trainer.training.runs.run_job import RunJob
from trainer.training.runs.run_tools import RunSettings, RunTools

ENTRY = {"epoch": 1, "train_loss": 0.5, "learning_rate": 0.1, "seconds": 1.0}


class Bench:
    """A run with a real database, store and process; what the process does is a script."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.database = Database(f"sqlite:///{tmp_path}/db.sqlite3")
        create_all(self.database)
        self.runs = TrainingRuns(self.database, max_fruitless=3)
        self.datasets, self.models = Datasets(self.database), Models(self.database)
        self.files = FileStore(tmp_path / "files")
        self.script, self.orders, self.stop = [], [], False
        self.meanwhile = lambda: None
        self.error = None
        new = NewDataset(
            owner="me", name="d", format="lgg", options={"mask_suffix": "_m"}, request_id="r", folder="d",
            archive_bytes=None, archive_sha256=None,
        )  # fmt: skip
        self.dataset = self.datasets.accept(new)
        claim = self.datasets.claim_next("w", 10)
        self.datasets.ready(claim, format="lgg", report={}, findings=[])
        run = NewRun("me", "My Net!", self.dataset.id, None, {"epochs": 2}, "req-1")
        self.run_id = self.runs.accept(run).id
        settings = RunSettings(tmp_path / "work", "cpu", 3, 5, 7.0, None, 10.0)
        tools = RunTools(self.runs, self.datasets, self, self.files, settings, self.start)
        self.job = RunJob(tools, lambda: self.stop)

    def folder(self, dataset, on_progress):
        if self.error:
            raise self.error
        return self.tmp_path

    def start(self, order, log):
        self.orders.append(order)
        told = replace(order, specification={"script": self.script})
        process = ChildProcess(COMMAND, told, log)
        self.meanwhile()
        return process

    def do(self, *script):
        """One claim, one attempt."""
        self.script = script
        self.job.run(self.runs.claim_next("w", 10))
        return self.view()

    def view(self):
        return self.runs.get(self.run_id)

    def left_over(self):
        return [path for path in (self.tmp_path / "work").rglob("*") if path.is_file()]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.database.close()


def model(bench):
    """A finished model's folder, as the process leaves it."""
    folder = bench.tmp_path / "made" / "model"
    folder.mkdir(parents=True)
    card("my-net-" + bench.run_id[:8]).dump(folder / "card.json")
    (folder / "weights.safetensors").write_bytes(b"weights")
    return ["send", {"event": "finished", "folder": str(folder)}]


def checkpoint(bench, step, size=10):
    path = bench.tmp_path / f"checkpoint-{step}.safetensors"
    path.write_bytes(b"c" * size)
    return ["send", {"event": "checkpoint", "path": str(path), "epoch": 1, "step": step}]


def test_a_run_that_succeeds_is_a_model(bench):
    view = bench.do(["send", {"event": "epoch", "entry": ENTRY}], checkpoint(bench, 4), model(bench))
    assert (view.status, view.error, view.epochs) == (RunStatus.SUCCEEDED, None, [ENTRY])
    stored = bench.models.get(view.model_id)
    assert bench.files.read(f"{stored.location}/weights.safetensors") == b"weights"
    assert not bench.files.exists(f"training-runs/{bench.run_id}/checkpoints")
    assert bench.left_over() == []


def test_the_order_has_all_that_was_asked_for(bench):
    bench.do()
    order = bench.orders[0]
    assert (order.model_id, order.threads, order.nice) == (f"my-net-{bench.run_id[:8]}", 3, 5)
    assert (order.data, order.options) == (str(bench.tmp_path), {"mask_suffix": "_m"})
    assert order.resume_from is None


def test_the_name_it_gave_the_failure_is_kept(bench):
    view = bench.do(["send", {"event": "failed", "code": "loss_not_finite", "message": "nan at step 3"}])
    assert (view.status, view.error) == (
        RunStatus.FAILED,
        {"code": "loss_not_finite", "message": "nan at step 3"},
    )
    assert bench.left_over() == []


def test_a_code_that_is_not_known_is_a_failed_training(bench):
    view = bench.do(["send", {"event": "failed", "code": "os", "message": "?"}])
    assert view.error == {"code": "training_failed", "message": "?"}


def test_one_that_dies_is_started_again_from_its_checkpoint(bench):
    view = bench.do(checkpoint(bench, 4), ["exit", 1])
    assert (view.status, view.attempts) == (RunStatus.QUEUED, 1)
    view = bench.do(["exit", 1])
    assert bench.orders[1].resume_from.endswith("/checkpoints/1-4.safetensors")
    assert "died (exit status 1)" in bench.files.read(f"training-runs/{bench.run_id}/log.txt").decode()
    assert view.status == RunStatus.QUEUED


def test_one_that_always_dies_is_given_up_with_the_reason(bench):
    for _ in range(3):
        bench.do(["exit", 1])
    assert bench.runs.claim_next("w", 10) is None
    bench.runs.reap()
    assert bench.view().error["code"] == "attempts_exhausted"
    assert "3 times" in bench.view().error["message"]


def test_a_new_checkpoint_makes_the_attempt_count_for_something(bench):
    for step in range(1, 6):
        assert bench.do(checkpoint(bench, step), ["exit", 1]).status == RunStatus.QUEUED


def test_only_the_newest_checkpoint_is_kept(bench):
    view = bench.do(checkpoint(bench, 4), checkpoint(bench, 8, size=20), ["exit", 1])
    folder = bench.tmp_path / "files" / "training-runs" / bench.run_id / "checkpoints"
    assert [file.name for file in folder.iterdir()] == ["1-8.safetensors"]
    assert view.checkpoint == {
        "path": f"training-runs/{bench.run_id}/checkpoints/1-8.safetensors", "epoch": 1, "step": 8, "bytes": 20,
    }  # fmt: skip


def test_epochs_that_it_could_not_tell_before_it_died_are_told_by_the_next(bench):
    bench.do(["exit", 1])
    view = bench.do(["send", {"event": "resumed", "history": [ENTRY]}], ["exit", 1])
    assert view.epochs == [ENTRY]
    bench.do(["send", {"event": "resumed", "history": [ENTRY]}], ["exit", 1])
    told = [event for event in bench.runs.events(bench.run_id) if event.kind == EventKind.EPOCH]
    assert len(told) == 1


def test_pictures_and_log_are_for_the_api_to_read(bench):
    (bench.tmp_path / "curves.png").write_bytes(b"png")
    bench.do(["send", {"event": "picture", "name": "curves", "path": str(bench.tmp_path / "curves.png")}],
             ["log", "hello"])  # fmt: skip
    assert bench.files.read(f"training-runs/{bench.run_id}/curves.png") == b"png"
    assert "hello" in bench.files.read(f"training-runs/{bench.run_id}/log.txt").decode()


def cancel_when_started(bench):
    bench.meanwhile = lambda: bench.runs.cancel(bench.run_id)


@pytest.mark.parametrize("script", [[["listen"]], [["sleep", 60]], [["deaf"], ["sleep", 60]]])
def test_a_cancelled_run_is_gone_within_five_seconds(bench, script):
    cancel_when_started(bench)
    begun = time.monotonic()
    assert bench.do(*script).status == RunStatus.CANCELLED
    assert time.monotonic() - begun < 5
    assert bench.left_over() == []


def test_a_run_that_ended_while_it_was_cancelled_leaves_no_model(bench):
    cancel_when_started(bench)
    view = bench.do(model(bench), ["sleep", 60])
    assert (view.status, view.model_id) == (RunStatus.CANCELLED, None)
    assert bench.models.list().items == []
    assert not bench.files.exists("models")


def test_cancelled_while_the_dataset_is_fetched(bench):
    def slow(dataset, on_progress):
        bench.runs.cancel(bench.run_id)
        for n in range(600):
            on_progress(n, 600)
            time.sleep(0.1)

    bench.folder = slow
    begun = time.monotonic()
    assert bench.do().status == RunStatus.CANCELLED
    assert time.monotonic() - begun < 5 and bench.orders == []


def test_a_worker_that_stops_leaves_the_run_to_another_at_no_cost(bench):
    def stop():
        bench.stop = True

    bench.meanwhile = stop
    view = bench.do(["listen"])
    assert (view.status, view.attempts) == (RunStatus.QUEUED, 0)


@pytest.mark.parametrize("first", ["epoch", "checkpoint"])
def test_a_run_that_another_worker_has_taken_over_is_let_go(bench, first, monkeypatch):
    claim = bench.runs.claim_next("w", -1)  # its lease has run out already
    said = {"epoch": ["send", {"event": "epoch", "entry": ENTRY}], "checkpoint": checkpoint(bench, 9)}
    bench.script = [said[first], ["sleep", 60]]
    # Nothing but the fence of that write can say that the run is another's.
    monkeypatch.setattr("trainer.jobs.supervision.Lease", partial(Lease, every_s=60))
    taken = bench.runs.claim_next("another", 30)
    bench.job.run(claim)
    view = bench.view()
    assert (view.status, view.epochs, view.checkpoint) == (RunStatus.RUNNING, [], None)
    assert bench.runs.renew(taken, 30) == RunStatus.RUNNING
    assert not bench.files.exists(f"training-runs/{bench.run_id}/checkpoints/1-9.safetensors")


def test_a_dataset_that_is_gone(bench):
    bench.datasets.delete(bench.dataset.id)
    assert bench.do().error["code"] == "dataset_gone"


def test_a_dataset_that_is_deleted_while_it_is_learned_from(bench, monkeypatch):
    monkeypatch.setattr("trainer.jobs.supervision.LOOK_EVERY_S", 0.3)
    bench.meanwhile = lambda: bench.datasets.delete(bench.dataset.id)
    begun = time.monotonic()
    assert bench.do(["sleep", 60]).error["code"] == "dataset_gone"
    assert time.monotonic() - begun < 5


def test_a_folder_that_is_gone(bench):
    bench.error = DatasetGone("The folder d is not there any more.")
    assert bench.do().error == {"code": "dataset_gone", "message": "The folder d is not there any more."}


def test_a_full_disk_is_named_and_the_next_run_goes_on(bench, monkeypatch):
    def full(path, local):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bench.files, "put", full)
    view = bench.do(checkpoint(bench, 4), ["sleep", 60])
    assert (view.status, view.error["code"]) == (RunStatus.FAILED, "disk_full")
    monkeypatch.undo()
    bench.runs.resume(bench.run_id)
    assert bench.do(model(bench)).status == RunStatus.SUCCEEDED


def test_progress_is_kept(bench):
    progress = {"stage": "training", "epoch": 1, "epochs": 2, "step": 3, "steps": 8, "eta_s": 1.5}
    told = bench.do(["send", {"event": "progress", "progress": progress}], model(bench))
    assert told.progress == progress


def test_what_killed_workers_have_left_is_swept_up(bench):
    work = bench.tmp_path / "work"
    for name in (bench.run_id, "of-a-run-that-nobody-knows"):
        (work / name / "attempt-1").mkdir(parents=True)
    bench.job.sweep()
    assert [folder.name for folder in work.iterdir()] == [bench.run_id]
    bench.runs.cancel(bench.run_id)
    bench.job.sweep()
    assert [*work.iterdir()] == []


def test_a_process_that_the_kernel_ended_for_its_memory_is_not_tried_again(bench, monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr("trainer.jobs.child_process.out_of_memory_kills", lambda: next(counts))
    view = bench.do(["kill"])
    assert (view.status, view.error["code"]) == (RunStatus.FAILED, "out_of_memory")


def test_a_process_that_somebody_killed_is(bench, monkeypatch):
    monkeypatch.setattr("trainer.jobs.child_process.out_of_memory_kills", lambda: 3)
    assert bench.do(["kill"]).status == RunStatus.QUEUED


def test_a_full_disk_is_freed_before_the_database_is_told(bench, monkeypatch):
    def fail(claim, code, message):
        assert bench.left_over() == []
        return TrainingRuns.fail(bench.runs, claim, code, message)

    monkeypatch.setattr(bench.runs, "fail", fail)
    view = bench.do(
        ["write", "big", 1000], ["send", {"event": "failed", "code": "disk_full", "message": "full"}]
    )
    assert view.error["code"] == "disk_full"


def away(path, local):
    raise OSError(errno.EIO, "the store is away")


def test_a_store_that_is_away_costs_a_checkpoint_and_not_the_run(bench, monkeypatch):
    put = bench.files.put
    monkeypatch.setattr(bench.files, "put", lambda path, local: (away if "1-4" in path else put)(path, local))
    view = bench.do(checkpoint(bench, 4), checkpoint(bench, 8), ["exit", 1])
    assert (view.status, view.checkpoint["step"]) == (RunStatus.QUEUED, 8)


def test_pictures_and_logs_that_cannot_be_kept_end_no_run(bench, monkeypatch):
    monkeypatch.setattr(bench.files, "write", away)
    monkeypatch.setattr(bench.files, "put", lambda path, local: away(path, local) if "png" in path else None)
    (bench.tmp_path / "curves.png").write_bytes(b"png")
    picture = ["send", {"event": "picture", "name": "curves", "path": str(bench.tmp_path / "curves.png")}]
    assert bench.do(["log", "hello"], picture, model(bench)).status == RunStatus.SUCCEEDED


def test_a_model_that_cannot_be_stored_is_made_again(bench, monkeypatch):
    monkeypatch.setattr(bench.files, "put", away)
    assert bench.do(model(bench)).status == RunStatus.QUEUED


def test_an_end_that_the_database_could_not_confirm_keeps_its_model(bench, monkeypatch):
    succeed = bench.runs.succeed

    def succeed_unheard(*arguments):
        succeed(*arguments)
        monkeypatch.setattr(bench.runs, "succeed", succeed)
        raise OperationalError("COMMIT", {}, Exception("connection lost"))

    monkeypatch.setattr(bench.runs, "succeed", succeed_unheard)
    view = bench.do(model(bench))
    assert view.status == RunStatus.SUCCEEDED
    location = bench.models.get(view.model_id).location
    assert bench.files.read(f"{location}/weights.safetensors") == b"weights"


def test_what_nobody_has_thought_of_ends_the_run_with_a_reason(bench, monkeypatch):
    monkeypatch.setattr(bench.runs, "epoch", lambda claim, entry: 1 / 0)
    view = bench.do(["send", {"event": "epoch", "entry": ENTRY}], ["sleep", 60])
    assert view.error == {
        "code": "training_failed",
        "message": "The worker could not go on (ZeroDivisionError).",
    }


def test_a_worker_that_woke_up_too_late_leaves_the_files_of_the_other_alone(bench, monkeypatch):
    monkeypatch.setattr("trainer.jobs.supervision.Lease", partial(Lease, every_s=60))
    claim = bench.runs.claim_next("w", -1)
    bench.runs.claim_next("another on this host", 30)
    theirs = bench.tmp_path / "work" / bench.run_id / "attempt-2" / "log.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    bench.script = [["send", {"event": "failed", "code": "disk_full", "message": "full"}]]
    bench.job.run(claim)
    assert theirs.read_text() == "theirs"
    assert bench.view().status == RunStatus.RUNNING


def test_what_killed_attempts_have_left_goes_with_the_next(bench):
    left = bench.tmp_path / "work" / bench.run_id / "attempt-0"
    left.mkdir(parents=True)
    bench.do(["exit", 1])
    assert not left.exists()
