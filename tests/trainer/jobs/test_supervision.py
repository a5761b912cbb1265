"""A supervised job ends once, says how, and leaves neither a process nor a folder behind."""

import errno
from dataclasses import dataclass
from functools import partial

import psutil
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from shared.contract.errors import DatasetGone, ServiceError, TrainingFailed
from shared.contract.names import RunStatus
from tests.fakes import trainee
from trainer.jobs import child_process, supervision
from trainer.jobs.attempt import JobKind, RowEnds
from trainer.jobs.child_process import ChildProcess
from trainer.jobs.failures import FailureWords
from trainer.jobs.lease import Lease
from trainer.jobs.patience import NotWanted
from trainer.jobs.supervision import supervise

WORDS = FailureWords(TrainingFailed, "broke off ({})", "full", "memory", "killed for memory")
KIND = JobKind("job", WORDS, stop_grace_s=0.2)
FINISHED = ["send", {"event": "finished"}]


def failed(code):
    return ["send", {"event": "failed", "code": code, "message": "m"}]


@dataclass(frozen=True)
class Claim:
    id: str = "j"
    attempts: int = 1
    request_id: str = "r"


class Job:
    """The table, the attempt and the worker in one: what happens is set, what was done is told."""

    def __init__(self, folder):
        self.folder, self.script, self.process = folder, [], None
        self.status, self.stop, self.published, self.retry = RunStatus.RUNNING, False, True, None
        self.told, self.heard, self.breaks = [], [], {}
        self.ends = RowEnds(
            fail=lambda code, message: self._tell("fail", code, message),
            release=partial(self._tell, "release"),
            interrupt=partial(self._tell, "interrupt"),
            cancel=partial(self._tell, "cancel"),
        )

    def do(self, *script):
        """How it was left."""
        self.script = script
        with capture_logs() as logs:
            supervise(KIND, self, Claim(), self, lease_s=10, stopping=lambda: self.stop)
        assert self.process is None or not psutil.pid_exists(self.process.pid)
        return logs[-1]["how"]

    def renew(self, claim, lease_s):
        return self.status

    def start(self, wanted):
        self._break("start")
        if not wanted():
            raise NotWanted
        order = trainee.order(self.folder, *self.script)
        self.process = ChildProcess(trainee.COMMAND, order, self.folder / "log.txt")
        return self.process

    def check(self):
        self._break("check")

    def look(self, *, over):
        self._break("look")

    def hear(self, event):
        self._break("hear")
        self.heard.append(event)

    def publish(self, finished):
        self._break("publish")
        return self.published

    def retry_because(self, failure):
        return self.retry

    def note(self, why):
        self.told.append(("note", why))

    def clean(self, *, ended):
        self.told.append(("clean", ended))

    def _break(self, where):
        if where in self.breaks:
            raise self.breaks[where]

    def _tell(self, *what):
        self._break(what[0])
        self.told.append(what)
        return self.status is not None


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setattr(supervision, "Lease", partial(Lease, every_s=0.02))
    monkeypatch.setattr(supervision, "LOOK_EVERY_S", 0.0)
    return Job(tmp_path)


def test_what_it_made_is_published_after_all_that_it_said(job):
    assert job.do(["send", {"event": "progress", "n": 1}], FINISHED) == "succeeded"
    assert job.heard == [{"event": "progress", "n": 1}] and job.told == [("clean", True)]


def test_what_is_published_too_late_is_lost(job):
    job.published = False
    assert job.do(FINISHED) == "lost"
    assert job.told == [("clean", False)]


def test_a_failure_is_for_good_unless_its_kind_knows_better(job):
    assert job.do(failed("dataset_gone")) == "failed"
    job.retry = "memory was short"
    assert job.do(failed("out_of_memory")) == "interrupted"
    assert job.told == [
        ("fail", "dataset_gone", "m"), ("clean", True),
        ("note", "memory was short"), ("interrupt", "memory was short"), ("clean", False),
    ]  # fmt: skip


def test_a_full_disk_is_freed_before_the_row_is_written(job):
    job.do(failed("disk_full"))
    assert job.told == [("clean", False), ("fail", "disk_full", "m"), ("clean", True)]


@pytest.mark.parametrize(("script", "cause"), [(["exit", 3], "exit status 3"), (["kill"], "signal 9")])
def test_one_that_dies_may_go_well_another_time(job, script, cause):
    assert job.do(script) == "interrupted"
    assert job.told[1] == ("interrupt", f"its process died ({cause})")


def test_one_that_the_kernel_ended_for_its_memory_fails(job, monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(child_process, "out_of_memory_kills", lambda: next(counts))
    assert job.do(["kill"]) == "failed"
    assert job.told[0] == ("fail", "out_of_memory", "killed for memory")


@pytest.mark.parametrize("script", [[["listen"]], [["deaf"], ["sleep", 60]]])
def test_a_worker_that_stops_leaves_it_in_order(job, script):
    job.stop = True
    assert job.do(*script) == "released"  # before it began
    started = job.start
    job.start = lambda wanted: started(lambda: True)
    assert job.do(*script) == "released"
    assert job.told == [("release",), ("clean", False)] * 2


def test_a_cancelled_job_is_cancelled_and_nothing_that_it_still_says_is_kept(job):
    job.status = RunStatus.CANCELLING
    begun = job.start

    def start(wanted):
        process = begun(lambda: True)
        while wanted():
            pass
        return process

    job.start = start
    assert job.do(["send", {"event": "progress"}], FINISHED, ["sleep", 60]) == "cancelled"
    assert job.told == [("cancel",), ("clean", True)] and job.heard == []


def test_a_lost_job_is_let_go_and_its_files_are_left_alone(job):
    job.breaks["hear"] = NotWanted()  # the fence of a write said so, before the lease did
    job.status = None
    assert job.do(["send", {"event": "progress"}], ["deaf"], ["sleep", 60]) == "lost"
    assert job.told[-1] == ("clean", False)


@pytest.mark.parametrize(
    ("error", "how", "told"),
    [
        (DatasetGone("gone"), "failed", ("fail", "dataset_gone", "gone")),
        (ServiceError("odd"), "failed", ("fail", "training_failed", "odd")),
        (OSError(errno.ENOSPC, "x"), "failed", ("fail", "disk_full", "full")),
        (OSError(errno.EIO, "x"), "interrupted", ("interrupt", "the worker could not read or write a file (OSError)")),
        (KeyError("Smith"), "failed", ("fail", "training_failed", "The worker could not go on (KeyError).")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["start", "check", "look", "hear", "publish"])
def test_whatever_goes_wrong_and_wherever_it_ends_somehow(job, error, how, told, where):
    job.breaks[where] = error
    script = [FINISHED] if where == "publish" else [["send", {"event": "progress"}], ["sleep", 60]]
    assert job.do(*script) == how
    assert told in job.told


def test_a_database_that_stays_away_puts_it_off(job, monkeypatch):
    monkeypatch.setattr(supervision, "patiently", lambda write: write())
    job.breaks["fail"] = OperationalError("", None, Exception())
    assert job.do(failed("dataset_gone")) == "put off"
    assert job.told == [("clean", False)]


def test_a_database_that_is_away_for_a_moment_is_no_reason_to_end(job):
    job.breaks["check"] = OperationalError("", None, Exception())
    assert job.do(["sleep", 0.5], FINISHED) == "succeeded"


def test_files_that_cannot_be_removed_end_nothing(job):
    def clean(*, ended):
        raise OSError("busy")

    job.clean = clean
    assert job.do(FINISHED) == "succeeded"
