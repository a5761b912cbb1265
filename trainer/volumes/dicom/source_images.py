"""What a segmentation object takes over from the series that it is of: the patient, the study, where frames lie.

Real files lack what the standard demands and hold what it forbids. So highdicom never sees them: it is given stand-ins
with only what it needs, and what the object says of the patient and of its sources is written by hand afterwards.
"""

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DS

from shared.volumes.grid import Grid

# Of the patient and of the study: what a PACS files an object by, and no more. Type 2 ones may be empty, not missing.
_ALWAYS = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
    "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
_IF_THERE = ("IssuerOfPatientID", "StudyDescription")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
_WRITTEN_AS_UID = re.compile(r"[0-9.]{1,128}", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class SourceFrame:
    """Where a slice of the file's array comes from: the file, the frame in it from 0, its top left voxel in LPS mm."""

    source: Dataset
    number: int
    position: list[float]

    @property
    def reference(self) -> Dataset:
        """Of an item that refers to it; a frame of a multi-frame file by its number."""
        item = reference_to(self.source)
        if "PerFrameFunctionalGroupsSequence" in self.source:
            item.ReferencedFrameNumber = self.number + 1
        return item


def derived_uid(*parts: str) -> str:
    """A UID that the same parts always give (2.25, PS3.5 B.2)."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()[:16]
    return f"2.25.{uuid.UUID(bytes=digest, version=5).int}"


def reference_to(source: Dataset) -> Dataset:
    """A new item that refers to an instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.get("SOPClassUID") or MRImageStorage
    item.ReferencedSOPInstanceUID = uid_of(source, "SOPInstanceUID")
    return item


def uid_of(source: Dataset, keyword: str) -> str:
    """A UID of a source as it is written, by the book or not, since others find the source by it.

    Where there is none, or words (which may be a patient's), one that is derived from what the source has.
    """
    known = [
        str(source.get(other) or "") for other in ("SOPInstanceUID", "SeriesInstanceUID", "InstanceNumber")
    ]
    said = str(source.get(keyword) or "")
    return said if is_written_as_uid(said) else derived_uid(keyword, said, *known)


def is_written_as_uid(text: str) -> bool:
    """Digits and dots: perhaps with leading zeros, or longer than the standard has it, and a name all the same."""
    return _WRITTEN_AS_UID.fullmatch(text) is not None


def is_uid(text: str) -> bool:
    """As PS3.5, 9.1 has it."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def frames_of(sources: Sequence[Dataset], frames: Sequence[tuple[int, int]], grid: Grid) -> list[SourceFrame]:
    """For each (index of the source, frame number from 0), where the source says that it lies, or else the grid."""
    lps = _TO_LPS @ grid.file_affine
    found = []
    for slice_, (index, number) in enumerate(frames):
        said = frame_value(sources[index], number, "PlanePositionSequence", "ImagePositionPatient")
        position = _numbers(said, 3) or [float(value) for value in (lps @ (0.0, 0.0, slice_, 1.0))[:3]]
        found.append(SourceFrame(sources[index], number, position))
    return found


def orientation_of(frame: SourceFrame, grid: Grid) -> list[float]:
    """Direction cosines of a row and of a column, as the source says, or else the grid."""
    said = frame_value(frame.source, frame.number, "PlaneOrientationSequence", "ImageOrientationPatient")
    steps = (_TO_LPS @ grid.file_affine)[:3, :2]
    by_grid = (steps / np.linalg.norm(steps, axis=0)).T.reshape(-1)
    return _numbers(said, 6) or [float(value) for value in by_grid]


def spacing_of(frame: SourceFrame, grid: Grid) -> tuple[list[float], float]:
    """(row, column) of the pixels and the thickness of a slice in mm, as the source says, or else the grid."""
    column, row, step = (float(size) for size in np.linalg.norm(grid.file_affine[:3, :3], axis=0))
    said = frame_value(frame.source, frame.number, "PixelMeasuresSequence", "PixelSpacing")
    thickness = frame_value(frame.source, frame.number, "PixelMeasuresSequence", "SliceThickness")
    thick = _numbers([thickness], 1) or [0.0]
    pixels = _numbers(said, 2) or [0.0, 0.0]
    return (pixels if min(pixels) > 0 else [row, column]), (thick[0] if thick[0] > 0 else step)


def frame_value(source: Dataset, number: int, sequence: str, keyword: str) -> Any:
    """An attribute of a frame: of a single-frame file at its root, of a multi-frame one in its functional groups."""
    if "PerFrameFunctionalGroupsSequence" not in source:
        return source.get(keyword)
    for groups in (
        source.PerFrameFunctionalGroupsSequence[number],
        *source.get("SharedFunctionalGroupsSequence", []),
    ):
        for item in groups.get(sequence) or []:
            if keyword in item:
                return item.get(keyword)
    return None


def stand_in(
    frame: SourceFrame, uid: str, orientation: Sequence[float], spacing: Sequence[float], thickness: float
) -> Dataset:
    """A single-frame MR instance in the place of a frame, as highdicom wants its sources, without a patient."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, uid
    for keyword in _ALWAYS:
        setattr(made, keyword, "")
    made.Modality = "MR"
    made.Rows, made.Columns = frame.source.Rows, frame.source.Columns
    made.ImagePositionPatient = _decimals(frame.position)
    made.ImageOrientationPatient = _decimals(orientation)
    made.PixelSpacing = _decimals(spacing)
    made.SliceThickness = _decimals([thickness])[0]
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if frame.source.get("LossyImageCompression") == "01" and frame.source.get(keyword):
            setattr(made, keyword, frame.source.get(keyword))
    return made


def take_over(source: Dataset, into: Dataset) -> None:
    """Write what the source says of the patient and of the study; what is missing or wrong is left empty."""
    for keyword in _ALWAYS:
        setattr(into, keyword, _said(source, keyword))
    for keyword in _IF_THERE:
        if _said(source, keyword):
            setattr(into, keyword, _said(source, keyword))
    if source.get("PatientIdentityRemoved") == "YES":
        into.PatientIdentityRemoved = "YES"
        into.DeidentificationMethod = (
            _said(source, "DeidentificationMethod")[:64] or "As of the source images"
        )
    into.PositionReferenceIndicator = _said(source, "PositionReferenceIndicator")


def _said(source: Dataset, keyword: str) -> str:
    """As text; empty where it is missing or not of its kind."""
    value = source.get(keyword)
    parts = [value] if value is None or isinstance(value, str) or not isinstance(value, Sequence) else value
    text = "\\".join("" if part is None else str(part) for part in parts)
    if keyword.endswith("Date") and not _is_date(text):
        return ""
    if keyword.endswith("Time") and not _TIME.fullmatch(text):
        return ""
    if keyword == "PatientSex" and text not in ("M", "F", "O"):
        return ""
    return text


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{8}", text):
        return False
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True


def _numbers(values: Any, count: int) -> list[float] | None:
    """Finite numbers, if there are so many."""
    try:
        numbers = [float(value) for value in values or ()]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _decimals(values: Sequence[float]) -> list[Any]:
    return [DS(float(value), auto_format=True) for value in values]
