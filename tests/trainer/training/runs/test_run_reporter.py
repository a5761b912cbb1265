"""What a training process says of its run, and when it obeys."""

import io
import json

import pytest

from shared.contract.names import Stage
from trainer.jobs.child_side import Ended, EventPipe
from trainer.training.runs.run_reporter import RunReporter


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
def reporter(out, commands, clock):
    return RunReporter(EventPipe(out, commands, clock), epochs=4, checkpoint_s=10.0)


def said(out):
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_progress_has_the_time_that_is_left(reporter, out, clock):
    reporter.stage(Stage.TRAINING, 40)
    reporter.step(1)
    clock.now += 6
    reporter.step(4)
    assert said(out)[-1] == {
        "event": "progress",
        "progress": {"stage": "training", "epoch": 0, "epochs": 4, "step": 4, "steps": 40, "eta_s": 72.0},
    }


def test_steps_are_told_once_a_second_at_most(reporter, out, clock):
    reporter.stage(Stage.TRAINING, 400)
    for n in range(100):
        clock.now += 0.05
        reporter.step(n + 1)
    assert len(said(out)) <= 6


def test_a_resumed_run_counts_on(reporter, out):
    reporter.resumed([{"epoch": 1}, {"epoch": 2}])
    reporter.stage(Stage.TRAINING, 40)
    assert said(out)[-1]["progress"]["epoch"] == 2


def test_a_checkpoint_is_due_after_a_while(reporter, clock, tmp_path):
    assert not reporter.wants_checkpoint()
    clock.now += 10
    assert reporter.wants_checkpoint()
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"")
    reporter.checkpoint(file, 1, 12)
    assert not reporter.wants_checkpoint()


def test_each_checkpoint_has_a_file_of_its_own(reporter, out, tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    for step in (5, 9):
        file.write_bytes(b"")
        reporter.checkpoint(file, 0, step)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "checkpoint-5.safetensors",
        "checkpoint-9.safetensors",
    ]
    assert said(out)[-1]["path"] == str(tmp_path / "checkpoint-9.safetensors")


@pytest.mark.parametrize("moment", [lambda p: p.step(1), lambda p: p.stage(Stage.SAVING)])
def test_cancelling_ends_it_at_once(reporter, commands, moment):
    commands.cancel = True
    with pytest.raises(Ended):
        moment(reporter)


def test_stopping_ends_it_with_a_checkpoint(reporter, commands, tmp_path):
    commands.stop = True
    reporter.step(1)
    assert reporter.wants_checkpoint()
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"")
    with pytest.raises(Ended):
        reporter.checkpoint(file, 0, 1)
