"""The part about training: ratios of rounds that took turns, and the loop measured on a tiny study."""

import subprocess
import sys

import psutil
import pytest
import torch

from benchmarks import training_loop, training_report, training_service
from benchmarks.__main__ import parser
from benchmarks.embedded import ROOT
from benchmarks.http_load import Load
from benchmarks.training_loop import Loop
from benchmarks.training_service import Memory, Start, Training
from shared.recipe import recipe_from
from tests.fakes.study import make_study

LOOP = Loop(16, 208, 10, 2, [10.0, 30.0, 11.0], [10.1, 30.3, 11.1], [10.5, 33.0, 11.5], 3.0, 7.0, 5.0)


def load(clients, p50, p95):
    return Load(clients, 100, 20.0, p50, p95, {}, {})


RUN = training_report.Run(
    ["a processor"],
    "a study",
    "recipe r",
    LOOP,
    Training(
        Start(0.1, 4.0, 6.0, 7.5, 2.5, 3.5),
        Memory(1000.0, 900.0, 1900.0, 1200.0),
        [1, 4],
        [load(1, 40.0, 50.0), load(4, 160.0, 180.0)],
        [load(1, 44.0, 60.0), load(4, 176.0, 270.0)],
        [12.0, 5.0, 3.0],
    ),
)


def test_a_round_that_was_slow_for_all_does_not_change_the_ratio():
    assert LOOP.ratio(LOOP.whole_s) == pytest.approx(10 / 10.5)
    assert LOOP.ratio(LOOP.bare_s) == 1
    assert LOOP.per_s(LOOP.bare_s) == pytest.approx(160 / 11)


def test_the_summary_says_what_there_are_targets_for():
    assert training_report.summary(RUN) == {
        "training loop / bare step": pytest.approx(0.952, abs=0.001),
        "first step after POST (s)": 7.5,
        "of which importing torch (s)": 2.5,
        "peak memory, shared pages once (MiB)": 1200.0,
        "p95 beside training / alone, 1 clients": pytest.approx(1.2),
        "p95 beside training / alone, 4 clients": pytest.approx(1.5),
    }


def test_every_load_has_a_row_without_and_with_training():
    page = training_report.markdown(RUN)
    assert page.startswith("## Training\n")
    for row in (
        "| 1 | no | 40.0 | 50.0 | - |",
        "| 1 | yes | 44.0 | 60.0 | 5.0 |",
        "| 4 | yes | 176.0 | 270.0 | 3.0 |",
    ):
        assert row in page
    assert "clipping of the gradients | 7.0" in page


def test_the_loop_is_measured_with_its_real_feed(tmp_path):
    recipe = recipe_from(
        {"name": "t", "encoder": "resnet18", "encoder_weights": None, "image_size": 32, "batch_size": 2}
    )
    threads = torch.get_num_threads()
    study = make_study(tmp_path, patients=4)
    loop = training_loop.measure(recipe, study, torch.device("cpu"), steps=1, rounds=2, threads=1)
    assert (loop.batch, loop.side, loop.steps, loop.threads) == (2, 32, 1, 1)
    assert len(loop.bare_s) == len(loop.memory_s) == len(loop.whole_s) == 2
    assert min(loop.ema_ms, loop.clip_ms, loop.augment_cpu_ms, *loop.whole_s) > 0
    assert torch.get_num_threads() == threads


def test_memory_is_of_a_process_and_its_children():
    code = "import subprocess, sys; x = bytearray(60 * 2**20); subprocess.run([sys.executable, '-c', {!r}])"
    child = "x = bytearray(30 * 2**20); print('up', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code.format(child)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        process.stdout.readline()
        memory = Memory()
        training_service._look(psutil.Process(process.pid), memory)
    finally:
        process.communicate(b"\n")
    assert memory.child > 60 and memory.feeding > 30
    assert memory.both == pytest.approx(memory.child + memory.feeding)
    assert 90 < memory.proportional <= memory.both


@pytest.mark.parametrize(
    ("run", "reached"),
    [
        ({"status": "queued", "progress": {}}, 0),
        ({"status": "running", "progress": {"stage": "loading", "step": 0, "steps": None, "epoch": 0}}, 1),
        ({"status": "running", "progress": {"stage": "loading", "step": 3, "steps": 9, "epoch": 0}}, 2),
        ({"status": "running", "progress": {"stage": "training", "step": 0, "steps": 9, "epoch": 0}}, 3),
        ({"status": "running", "progress": {"stage": "training", "step": 1, "steps": 9, "epoch": 0}}, 4),
    ],
)
def test_a_run_comes_nearer_to_its_first_step(run, reached):
    marks = training_service.MARKS
    assert [mark(run) for mark in marks] == [number < reached for number in range(len(marks))]


class Answers:
    """In place of a service: the same resource, looking as listed, one after the other."""

    def __init__(self, *documents):
        self.documents = list(documents)

    def call(self, method, path, document=None):
        return self.documents.pop(0) if len(self.documents) > 1 else self.documents[0]


def running(step, status="running"):
    return {
        "status": status,
        "error": None,
        "progress": {"stage": "training", "step": step, "steps": 99, "epoch": 0},
        "specification": {"batch_size": 16},
    }


def test_a_run_is_looked_at_until_it_has_come_so_far(monkeypatch):
    monkeypatch.setattr(training_service, "POLL_S", 0)
    service = Answers(running(0), running(0), running(2))
    training_service._until(service, "/run", training_service.MARKS[-1])
    assert service.documents == [running(2)]


def test_a_run_that_fails_ends_the_measurement_with_its_error():
    failed = running(0, "failed") | {"error": {"code": "out_of_memory"}}
    with pytest.raises(SystemExit, match="out_of_memory"):
        training_service._until(Answers(failed), "/run", training_service.MARKS[-1])


def test_the_speed_of_training_is_counted_in_slices_and_only_while_it_runs():
    assert training_service._rate(Answers(running(2), running(5)), "/run", lambda: None) > 0
    assert training_service._rate(Answers(running(5)), "/run", lambda: None) == 0
    with pytest.raises(SystemExit, match="succeeded"):
        training_service._rate(Answers(running(2), running(99, "succeeded")), "/run", lambda: None)


def test_parts_can_be_chosen():
    assert parser().parse_args([]).only is None
    assert parser().parse_args(["--only", "training"]).only == "training"
    with pytest.raises(SystemExit):
        parser().parse_args(["--only", "cooking"])
