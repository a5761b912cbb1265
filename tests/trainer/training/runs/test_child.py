"""What a training process says and hears, and how it explains its end."""

import errno
import io
import json
import os

import pytest
import torch

from shared.contract.errors import DatasetError, InvalidFields, LossNotFinite, UndecodableImage
from shared.contract.names import Stage
from tests.fakes.launch import until
from trainer.jobs.child_side import Commands, Ended
from trainer.jobs.failures import UNREADABLE
from trainer.training.runs.child import Pipe, explain


class Time:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Silent:
    cancel = stop = False


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def commands():
    return Silent()


@pytest.fixture
def pipe(out, commands, clock):
    return Pipe(out, commands, epochs=4, checkpoint_s=10.0, clock=clock)


def said(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_progress_has_the_time_that_is_left(pipe, out, clock):
    pipe.stage(Stage.TRAINING, 40)
    pipe.step(1)
    clock.now += 6
    pipe.step(4)
    assert said(out)[-1] == {
        "event": "progress",
        "progress": {"stage": "training", "epoch": 0, "epochs": 4, "step": 4, "steps": 40, "eta_s": 72.0},
    }


def test_steps_are_told_once_a_second_at_most(pipe, out, clock):
    pipe.stage(Stage.TRAINING, 400)
    for n in range(100):
        clock.now += 0.05
        pipe.step(n + 1)
    assert len(said(out)) <= 6


def test_a_resumed_run_counts_on(pipe, out):
    pipe.resumed([{"epoch": 1}, {"epoch": 2}])
    pipe.stage(Stage.TRAINING, 40)
    assert said(out)[-1]["progress"]["epoch"] == 2


def test_a_checkpoint_is_due_after_a_while(pipe, clock, tmp_path):
    assert not pipe.wants_checkpoint()
    clock.now += 10
    assert pipe.wants_checkpoint()
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"")
    pipe.checkpoint(file, 1, 12)
    assert not pipe.wants_checkpoint()


def test_each_checkpoint_has_a_file_of_its_own(pipe, out, tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    for step in (5, 9):
        file.write_bytes(b"")
        pipe.checkpoint(file, 0, step)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "checkpoint-5.safetensors",
        "checkpoint-9.safetensors",
    ]
    assert said(out)[-1]["path"] == str(tmp_path / "checkpoint-9.safetensors")


@pytest.mark.parametrize("moment", [lambda p: p.step(1), lambda p: p.stage(Stage.SAVING)])
def test_cancelling_ends_it_at_once(pipe, commands, moment):
    commands.cancel = True
    with pytest.raises(Ended):
        moment(pipe)


def test_stopping_ends_it_with_a_checkpoint(pipe, commands, tmp_path):
    commands.stop = True
    pipe.step(1)
    assert pipe.wants_checkpoint()
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"")
    with pytest.raises(Ended):
        pipe.checkpoint(file, 0, 1)


def test_commands_are_heard_until_the_worker_is_gone():
    source, sink = os.pipe()
    ended = []
    with os.fdopen(source, "rb", buffering=0) as reader, os.fdopen(sink, "wb", buffering=0) as writer:
        commands = Commands(reader, lambda: ended.append(True))
        commands.listen()
        assert not commands.stop and not commands.cancel
        writer.write(b"stop\n")
        until(lambda: commands.stop, 5)
        assert not commands.cancel and not ended
        writer.write(b"cancel\n")
        until(lambda: commands.cancel, 5)
        writer.close()
        until(lambda: ended, 5)


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LossNotFinite("The loss is nan."), "loss_not_finite"),
        (DatasetError("a.tif has no mask"), "dataset_invalid"),
        (InvalidFields(errors={"encoder_weights": ["cannot be had"]}), "training_failed"),
        (FULL, "disk_full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out_of_memory"),
        (ValueError("what is this"), "training_failed"),
    ],
)  # fmt: skip
def test_a_failure_has_a_reason_that_a_person_understands(error, code, tmp_path):
    failure = explain(error, tmp_path)
    assert failure.code == code
    assert len(failure.detail) > 5


SECRET = "data/Smith^John/Smith_7.tif"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DatasetError(f"{SECRET} is not there any more."), UNREADABLE),
        (UndecodableImage(f"{SECRET} is damaged."), UNREADABLE),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", SECRET), "No such file or directory"),
        (OSError(errno.EIO, f"cannot read {SECRET}"), "OSError: Input/output error"),
        (OSError(f"cannot identify {SECRET}"), "(OSError)"),
        (ValueError(f"{SECRET} has no mask"), "(ValueError)"),
    ],
)
def test_no_file_is_named(error, said, tmp_path):
    failure = explain(error, tmp_path)
    assert "Smith" not in failure.detail and "data/" not in failure.detail
    assert said in failure.detail


def test_the_field_that_was_wrong_is_named(tmp_path):
    failure = explain(InvalidFields(errors={"encoder_weights": ["cannot be had"]}), tmp_path)
    assert failure.detail == "encoder_weights: cannot be had"


def test_data_that_went_away_is_said_so(tmp_path):
    for error in (FileNotFoundError("x.tif"), DatasetError("x.tif is not there any more.")):
        assert explain(error, tmp_path / "gone").code == "dataset_gone"


def test_a_feeding_process_that_was_killed_is_worth_another_try(tmp_path):
    error = RuntimeError("DataLoader worker (pid 5) is killed by signal: Killed.")
    assert explain(error, tmp_path) is None
