"""The part about volumes: what is sent can be read, and the page says time, memory and latency as ratios."""

import io
import zipfile

import numpy as np
import pytest

from benchmarks import volume_files, volume_report, volume_service
from benchmarks.__main__ import parser
from benchmarks.forward import Rate
from benchmarks.http_load import Load
from benchmarks.volume_service import Beside, Done, Memory
from shared.volumes.nifti_scans import read_scans
from shared.volumes.scan import VolumeLimits
from trainer.volumes.dicom.series import read_series

SIZE = (5, 24, 32)
TIMES = {"decode": 1000.0, "forward": 3000.0, "postprocess": 500.0}


def load(clients, p50, p95):
    return Load(clients, 100, 20.0, p50, p95, {}, {})


RUN = volume_report.Run(
    ["a processor"],
    "two slices",
    "m",
    "fake",
    Rate(2, 40.0, 16.0, 50.0),
    [
        Done("DICOM", (100, 240, 240), 12 << 20, 0.5, 5.0, TIMES, Memory(500.0, 620.0, 300.0)),
        Done("NIfTI", (200, 512, 512), 99 << 20, 2.0, 20.0, TIMES, Memory(620.0, 700.0, 900.0)),
    ],
    (200, 512, 512),
    [Beside(load(1, 40.0, 50.0), load(1, 60.0, 100.0)), Beside(load(4, 160.0, 180.0), load(4, 200.0, 270.0))],
)


def test_both_kinds_of_files_hold_the_same_volume(tmp_path):
    voxels_DHW = volume_files.drawn(SIZE)
    with zipfile.ZipFile(io.BytesIO(volume_files.dicom_zip(voxels_DHW))) as archive:
        archive.extractall(tmp_path / "series")
    (tmp_path / "volume").write_bytes(volume_files.nifti(voxels_DHW))
    series = read_series(sorted((tmp_path / "series").iterdir()), VolumeLimits(), lambda share: None)
    (scan,) = read_scans(tmp_path / "volume", VolumeLimits())
    for read in (series.scan, scan):
        np.testing.assert_array_equal(read.voxels_DHWC[..., 0], voxels_DHW)
        assert read.spacing_mm == (1, 1, 1)


def test_the_drawn_head_has_a_tumour_and_air_around_it():
    voxels_DHW = volume_files.drawn(SIZE)
    assert voxels_DHW[0, 0, 0] == 0 and voxels_DHW.max() > 1500


def test_the_ratios_are_those_of_the_bare_forward_and_of_slices_alone():
    assert volume_report.summary(RUN) == {
        "a slice of DICOM 100 x 240 x 240 / bare forward": pytest.approx(2.0),
        "a slice of NIfTI 200 x 512 x 512 / bare forward": pytest.approx(4.0),
        "peak of the child (MiB)": 900.0,
        "most that the worker grew by (MiB)": 120.0,
        "p50 beside a volume / alone, 1 client": pytest.approx(1.5),
        "p95 beside a volume / alone, 1 client": pytest.approx(2.0),
        "p50 beside a volume / alone, 4 clients": pytest.approx(1.25),
        "p95 beside a volume / alone, 4 clients": pytest.approx(1.5),
    }


def test_every_volume_and_every_load_has_a_row():
    page = volume_report.markdown(RUN)
    assert "| NIfTI 200 x 512 x 512 | 99 | 2.0 | 1.0 | 3.0 | 0.5 | 20.0 | 100.0 | 4.00 |" in page
    assert "| DICOM 100 x 240 x 240 | 11 | 500 | 620 | 300 |" in page
    assert "| 4 | yes | 20.0 | 200.0 | 270.0 |" in page


def test_sizes_are_given_by_slices_rows_and_columns():
    assert parser().parse_args([]).volumes == [(155, 240, 240), (384, 512, 512)]
    assert parser().parse_args(["--volumes", "8x32x40"]).volumes == [(8, 32, 40)]


class Answers:
    """A service that says these things of a job, one after the other."""

    def __init__(self, *told):
        self.told, self.paths = [*told], []

    def call(self, method, path, document=None):
        self.paths.append((method, path))
        return self.told.pop(0)


def test_a_job_that_ends_otherwise_is_told(monkeypatch):
    monkeypatch.setattr(volume_service, "POLL_S", 0)
    service = Answers({"status": "queued"}, {"status": "running"}, {"status": "succeeded", "id": "a"})
    assert volume_service.until_ended(service, "/v1/segmentations/a")["id"] == "a"
    assert service.paths[0] == ("GET", "/v1/segmentations/a?mask_format=none")
    with pytest.raises(SystemExit, match="failed: no memory"):
        volume_service.until_ended(Answers({"status": "failed", "error": "no memory"}), "/v1/segmentations/a")
