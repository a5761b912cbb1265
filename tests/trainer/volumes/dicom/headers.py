"""Headers of MR series without pixels, as they are handed to the writer of segmentation objects."""

import numpy as np
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from shared.volumes.grid import Grid, grid_of

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
STRAIGHT = np.array([[-0.5, 0, 0, 10], [0, -0.7, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])
TILTED = STRAIGHT + np.array([[0, 0, 0, 0], [0, 0, 0.9, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
SHAPE = (20, 16, 6)


def grid(affine: np.ndarray = STRAIGHT, shape: tuple[int, int, int] = SHAPE) -> Grid:
    return grid_of(affine, shape, slice_axis=2)


def series(where: Grid) -> list[Dataset]:
    """Single-frame instances in the order of the file's slices."""
    made = []
    for z in range(where.file_shape[2]):
        one = _common(where)
        one.SOPClassUID, one.SOPInstanceUID = MRImageStorage, f"1.2.3.4.{z + 1}"
        one.ImagePositionPatient = _position(where, z)
        one.ImageOrientationPatient = _orientation(where)
        one.PixelSpacing, one.SliceThickness = _spacing(where), 2.5
        made.append(one)
    return made


def multi_frame(where: Grid, frames: int | None = None) -> Dataset:
    """One enhanced instance; with more `frames` than slices, the first ones come again at the end."""
    whole = _common(where)
    whole.SOPClassUID, whole.SOPInstanceUID = EnhancedMRImageStorage, "1.2.3.4"
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=_orientation(where))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=_spacing(where), SliceThickness=2.5)]
    whole.SharedFunctionalGroupsSequence = [shared]
    slices = where.file_shape[2]
    whole.NumberOfFrames = frames or slices
    whole.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=_position(where, z % slices))])
        for z in range(whole.NumberOfFrames)
    ]
    return whole


def _common(where: Grid) -> Dataset:
    one = Dataset()
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = "1.2.5", "1.2.6", "1.2.7"
    one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = "Doe^Jane", "P1", "19700101", "F"
    one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = "20250102", "101112", "S1", "A1"
    one.ReferringPhysicianName, one.Modality, one.SeriesNumber, one.PatientAge = "", "MR", 7, "055Y"
    one.Columns, one.Rows = where.file_shape[:2]
    return one


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _position(where: Grid, z: int) -> list[float]:
    return [round(float(value), 6) for value in (TO_LPS @ where.file_affine @ (0, 0, z, 1))[:3]]


def _orientation(where: Grid) -> list[float]:
    steps = (TO_LPS @ where.file_affine)[:3, :2]
    return [round(float(value), 9) for value in (steps / np.linalg.norm(steps, axis=0)).T.reshape(-1)]


def _spacing(where: Grid) -> list[float]:
    column, row = np.linalg.norm(where.file_affine[:3, :2], axis=0)
    return [round(float(row), 6), round(float(column), 6)]
