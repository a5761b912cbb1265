"""The page of a benchmark run says what was measured, as ratios too, and nothing that names the machine."""

import platform
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import machine, report, slices
from benchmarks.forward import Rate, bare, batched, best
from benchmarks.http_load import Load
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits
from tests.fakes.inference import SIZE, FakeEngine
from tests.fakes.study import make_study

CPU = {"API": 2.0, "worker": 18.0, "Redis": 0.5, "clients": 1.0}
TIMES = {"forward": 9.0, "total": 12.0}
RUN = report.Run(
    machine=["a processor"],
    slices="two slices",
    model="m",
    engine="fake",
    bare=[Rate(1, 100.0, 16.0, 10.0), Rate(2, 120.0, 16.5, 16.6)],
    batcher=Rate(2, 117.0, 16.6, 8.5),
    worker=Rate(2, 110.0, 18.0, 9.0),
    http=[Load(1, 50, 60.0, 15.5, 18.0, CPU, TIMES), Load(16, 500, 96.0, 160.0, 200.0, CPU, TIMES)],
)


def test_the_ratios_are_those_of_the_targets():
    assert report.summary(RUN) == {
        "batcher / bare forward": pytest.approx(0.975),
        "HTTP / bare forward": pytest.approx(0.8),
        "p50 at one client - bare forward of one slice (ms)": pytest.approx(5.5),
        "overhead at the best HTTP rate (CPU-ms a slice)": pytest.approx(4.0),
    }


def test_every_load_has_a_row():
    page = report.markdown(RUN)
    for load in RUN.http:
        assert f"| {load.clients} | {load.per_s:.1f} |" in page
    assert report.markdown(replace(RUN, model="other")).count("other") == 1


def test_the_machine_is_described_and_not_named():
    facts = "\n".join(machine.describe())
    assert "cores" in facts
    assert platform.node() not in facts.split()
    assert "/" not in facts


def test_drawn_slices_are_pictures_that_the_api_takes():
    chosen = slices.load(3, folder="")
    assert [decode(file, DecodeLimits()).pixels.shape for file in chosen.files] == [(256, 256, 3)] * 3
    assert "drawn" in chosen.description


def test_real_slices_are_spread_over_the_study_and_masks_are_left_out(tmp_path):
    study = make_study(tmp_path, patients=4, slices=3) / "kaggle_3m"
    chosen = slices.load(6, folder=str(study))
    assert len(set(chosen.files)) == 6
    assert not {path.read_bytes() for path in study.rglob("*_mask.tif")} & set(chosen.files)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(SystemExit, match="give --data or LGG_DIR"):
        slices.load(1, folder=str(tmp_path))


def test_the_engine_is_measured_at_each_batch_size_and_left_as_it_was():
    engine = FakeEngine(max_batch=4)
    inputs = [np.zeros((3, SIZE, SIZE), np.float32)] * 3
    rates = bare(engine, inputs, [1, 8], seconds=0.02)
    assert set(engine.batches) == {1, 8}
    assert engine.max_batch == 4
    assert best(rates).per_s == max(rate.per_s for rate in rates)
    assert batched(engine, inputs, seconds=0.02).per_s > 0
