"""Segmentation objects pass dicom3tools' validator, where it is installed (Debian: dicom3tools)."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.volumes.dicom.headers import STRAIGHT, TILTED, grid, multi_frame
from tests.trainer.volumes.dicom.test_segmentation_object import BINARY, THREE, labels, stripped, write

VALIDATOR = shutil.which("dciodvfy")
SINGLE_SLICE = (20, 16, 1)


def one_slice():
    where = grid(shape=SINGLE_SLICE)
    return write(where, np.ones(where.shape, np.uint8))


def multi(frames: int = 6):
    where = grid()
    return write(where, labels(where), [multi_frame(where, frames)], [(0, number) for number in range(6)])


OBJECTS = {
    "a single-frame series": lambda: write(grid(), labels(grid())),
    "a multi-frame file": multi,
    "a multi-frame file of two echoes": lambda: multi(12),
    "a tilted gantry": lambda: write(grid(TILTED), labels(grid(TILTED))),
    "one slice": one_slice,
    "an empty mask": lambda: write(grid(), np.zeros(grid().shape, np.uint8)),
    "an empty mask of three classes": lambda: write(grid(), np.zeros(grid().shape, np.uint8), classes=THREE),
    "three classes": lambda: write(grid(), labels(grid(), highest=3), classes=THREE),
    "three classes of which one is there": lambda: write(grid(), labels(grid()), classes=THREE),
    "a series that lacks nearly everything": lambda: write(grid(), labels(grid()), stripped(grid())),
    "frames that are no multiple of eight pixels": lambda: write(
        grid(STRAIGHT, (19, 17, 3)), np.ones((3, 17, 19), np.uint8), classes=BINARY
    ),
    "a class in other letters": lambda: write(grid(), labels(grid()), classes=[(1, "Tumör")]),
}


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("name", OBJECTS)
def test_the_validator_finds_no_error(name: str, tmp_path: Path):
    path = tmp_path / "segmentation.dcm"
    path.write_bytes(OBJECTS[name]().data)
    told = subprocess.run([str(VALIDATOR), str(path)], capture_output=True, text=True, check=False)
    lines = (told.stdout + told.stderr).splitlines()
    assert "Segmentation" in lines
    assert [line for line in lines if line.startswith("Error")] == []


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmdump (dcmtk) is not installed")
def test_dcmtk_reads_it(tmp_path: Path):
    path = tmp_path / "segmentation.dcm"
    path.write_bytes(OBJECTS["three classes"]().data)
    told = subprocess.run(["dcmdump", str(path)], capture_output=True, text=True, check=True)
    assert "=SegmentationStorage" in told.stdout
    assert told.stderr == ""
