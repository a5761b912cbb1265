"""A volume's labels as a DICOM segmentation object (PS3.3 A.51), which viewers lay over the series that it is of."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.valuerep import DS

from shared.pictures.render import class_color
from shared.volumes.grid import Grid
from trainer.volumes.dicom import codes
from trainer.volumes.dicom.source_images import (
    SourceFrame,
    derived_uid,
    frames_of,
    is_uid,
    is_written_as_uid,
    orientation_of,
    reference_to,
    spacing_of,
    stand_in,
    take_over,
    uid_of,
)

MANUFACTURER = "brain-tumour-segmentation"
SERIES_DESCRIPTION = "AI tumour segmentation (research)"
CONTENT_LABEL = "RESEARCH_TUMOUR"
CONTENT_DESCRIPTION = "Research result of a model, not a diagnosis"
NO_FRAME_OF_REFERENCE = {
    "code": "no_frame_of_reference",
    "detail": (
        "The series names no frame of reference; the segmentation object has one that is derived from the series, so"
        " some viewers may not lay the one over the other by themselves."
    ),
}
NO_UIDS = {
    "code": "no_uids",
    "detail": (
        "The series lacks UIDs of the study, the series or its instances, or has words in their place; the segmentation"
        " object has others, so no PACS will file it beside the series."
    ),
}
ODD_UIDS = {
    "code": "odd_uids",
    "detail": (
        "Some UIDs of the series are not as the standard has them (leading zeros, too long); the segmentation object"
        " refers to them as they are written, and some programs may not take it."
    ),
}
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_SERIES_NUMBERS_FROM = 1000  # after those of scanners
_LONG_STRING = 64  # characters of a value of type LO; many readers count bytes


@dataclass(frozen=True)
class SegmentingModel:
    """Which model made a segmentation: by its id, version and architecture, and the SHA-256 of its weights."""

    id: str
    version: str
    architecture: str
    weights_sha256: str


@dataclass(frozen=True)
class SegmentationObject:
    """A DICOM file, its UIDs, and remarks (`code`, `detail`) for the job's warnings."""

    data: bytes
    series_uid: str
    instance_uid: str
    remarks: list[dict[str, Any]] = field(default_factory=list)


def segmentation_object(
    sources: Sequence[Dataset],
    frames: Sequence[tuple[int, int]],
    grid: Grid,
    labels_DHW: np.ndarray,
    classes: Sequence[tuple[int, str]],
    model: SegmentingModel,
    *,
    seed: str,
    made: datetime | None = None,
) -> SegmentationObject:
    """uint8 labels (D, H, W), 0 for none, of a DICOM series -> a BINARY segmentation object with a segment a class.

    `sources` are the headers of the series: single-frame instances, or one multi-frame file with functional groups;
    they are not changed. `frames` says for each slice along the third axis of the file's array (X columns, Y rows,
    Z slices) from which source, and which frame of it from 0, it is. `classes` are (label, name); labels that are not
    among them are left out. The same `seed` gives the same UIDs, and with the same `made` the same bytes, so that a
    retried job stores the same instance twice and not two. Only frames with something in them are kept; of an empty
    mask all of them are, empty. ValueError where `frames` and the grid do not fit.
    """
    file_ZYX = grid.in_file_order(labels_DHW).transpose(2, 1, 0)
    if len(frames) != len(file_ZYX):
        raise ValueError(f"{len(frames)} frames are named for {len(file_ZYX)} slices")
    number = np.zeros(256, np.uint8)  # of the segment, by label
    number[[label for label, _ in classes]] = np.arange(1, len(classes) + 1)
    shown = [z for z, labels_YX in enumerate(file_ZYX) if number[labels_YX.astype(np.uint8)].any()]
    shown = shown or list(range(len(frames)))
    segments_NYX = np.stack([number[file_ZYX[z].astype(np.uint8)] for z in shown])
    with _quiet():
        placed = frames_of(sources, frames, grid)
        seg = _segmentation(placed, [placed[z] for z in shown], segments_NYX, grid, classes, model, seed)
        seg.SourceImageSequence = [reference_to(source) for source in sources]
        seg.ReferencedSeriesSequence = [_series_of(sources)]
        take_over(sources[0], seg)
        _date(seg, made or datetime.now())
        file = io.BytesIO()
        seg.save_as(file, enforce_file_format=True)
    remarks = [] if sources[0].get("FrameOfReferenceUID") else [NO_FRAME_OF_REFERENCE]
    uids = [str(source.get(uid) or "") for source in sources for uid in _UIDS]
    if not all(map(is_written_as_uid, uids)):
        remarks.append(NO_UIDS)
    elif not all(map(is_uid, uids)):
        remarks.append(ODD_UIDS)
    return SegmentationObject(file.getvalue(), seg.SeriesInstanceUID, seg.SOPInstanceUID, remarks)


def _segmentation(
    placed: list[SourceFrame], shown: list[SourceFrame], segments_NYX: np.ndarray, grid: Grid,
    classes: Sequence[tuple[int, str]], model: SegmentingModel, seed: str,
) -> hd.seg.Segmentation:  # fmt: skip
    """Of the frames that are `shown`, with references to their sources; without a patient."""
    stand_ins = _stand_ins(placed, shown, grid)
    seg = hd.seg.Segmentation(
        source_images=stand_ins,
        pixel_array=segments_NYX,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=_segments(classes, model),
        series_instance_uid=derived_uid("series", seed),
        series_number=_series_number(shown[0].source),
        sop_instance_uid=derived_uid("instance", seed),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=_line(model.id),
        software_versions=_line(model.version),
        device_serial_number=_line(model.weights_sha256),
        content_label=CONTENT_LABEL,
        content_description=CONTENT_DESCRIPTION,
        series_description=SERIES_DESCRIPTION,
        specific_character_set="ISO_IR 192",
    )
    frame_by_uid = {made.SOPInstanceUID: frame for made, frame in zip(stand_ins, shown, strict=True)}
    for groups in seg.PerFrameFunctionalGroupsSequence:
        for item in groups.DerivationImageSequence[0].SourceImageSequence:
            if item.ReferencedSOPInstanceUID in frame_by_uid:  # segments of one frame share their items
                item.update(frame_by_uid[item.ReferencedSOPInstanceUID].reference)
    organization = derived_uid("dimensions", seed)
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    return seg


def _stand_ins(placed: list[SourceFrame], shown: list[SourceFrame], grid: Grid) -> list[Dataset]:
    """One for each frame that is shown, in its order."""
    source = placed[0].source
    orientation = orientation_of(placed[0], grid)
    spacing, thickness = spacing_of(placed[0], grid)
    made = [
        stand_in(frame, derived_uid("stand-in", str(place)), orientation, spacing, thickness)
        for place, frame in enumerate(shown)
    ]
    normal = np.cross(orientation[:3], orientation[3:])
    apart = np.abs(np.subtract(placed[-1].position, placed[0].position) @ normal) / max(1, len(placed) - 1)
    series = uid_of(source, "SeriesInstanceUID")
    for dataset in made:
        dataset.StudyInstanceUID = uid_of(source, "StudyInstanceUID")
        dataset.SeriesInstanceUID = series
        dataset.FrameOfReferenceUID = source.get("FrameOfReferenceUID") or derived_uid(
            "frame of reference", series
        )
        if apart > 0:
            dataset.SpacingBetweenSlices = DS(float(apart), auto_format=True)
    return made


def _segments(classes: Sequence[tuple[int, str]], model: SegmentingModel) -> list[hd.seg.SegmentDescription]:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=_line(model.id),
        version=_line(model.version),
        family=codes.ARTIFICIAL_INTELLIGENCE,
        source=MANUFACTURER,
        parameters={"architecture": model.architecture, "weights_sha256": model.weights_sha256},
    )
    return [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=_line(name),
            segmented_property_category=codes.CATEGORY,
            segmented_property_type=codes.segment_type(name),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
            anatomic_regions=[codes.BRAIN],
            display_color=hd.color.CIELabColor.from_rgb(*class_color(label)),
        )
        for number, (label, name) in enumerate(classes, 1)
    ]


def _series_of(sources: Sequence[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid_of(sources[0], "SeriesInstanceUID")
    item.ReferencedInstanceSequence = [reference_to(source) for source in sources]
    return item


def _date(seg: Dataset, made: datetime) -> None:
    seg.ContentDate = seg.InstanceCreationDate = seg.SeriesDate = made.strftime("%Y%m%d")
    seg.ContentTime = seg.InstanceCreationTime = seg.SeriesTime = made.strftime("%H%M%S")
    for item in seg.ContributingEquipmentSequence:
        item.ContributionDateTime = made.strftime("%Y%m%d%H%M%S")


def _series_number(source: Dataset) -> int:
    """After those that a scanner gives, and next to each other where several series of a study are segmented."""
    try:
        number = int(source.get("SeriesNumber") or 0)
    except (TypeError, ValueError):
        number = 0
    return _SERIES_NUMBERS_FROM + (number if 0 < number < _SERIES_NUMBERS_FROM else 0)


def _line(text: str) -> str:
    """As a value of type LO: a backslash would make two of it."""
    return text.replace("\\", "/").encode()[:_LONG_STRING].decode(errors="ignore") or "unknown"


@contextmanager
def _quiet() -> Iterator[None]:
    """highdicom and pydicom tell of values that they do not like, and those may be the patient's."""
    loggers = [logging.getLogger(name) for name in ("highdicom", "pydicom")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
