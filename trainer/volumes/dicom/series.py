"""DICOM files of one MR series -> one volume. What does not fit together is refused by name, never guessed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from shared.contract.errors import (
    MissingGeometry,
    MixedGeometry,
    SeveralPatients,
    SeveralSeries,
    UnsupportedFormat,
)
from shared.volumes.grid import Grid, Lying, grid_of
from shared.volumes.scan import Scan, VolumeLimits
from trainer.volumes.dicom.decoders import PixelLayout
from trainer.volumes.dicom.file import LOSSY, DicomFile, read_file
from trainer.volumes.dicom.frames import Frame, frames_of
from trainer.volumes.dicom.pixels import dtype_of, frame_reader, layout_of
from trainer.volumes.dicom.stack import Stack, stack_of
from trainer.volumes.dicom.values import file_name, quiet, text

LEAST_MM, MOST_MM = 0.02, 200.0
Progress = Callable[[float], None]  # the share of slices decoded so far; what it raises ends the reading


@dataclass(frozen=True)
class Series:
    """A volume and where it came from.

    `sources` are the headers without pixels, one per instance, in the order of the files; `frames[z]` are, for slice z
    along the third axis of the file's array (`scan.grid.file_shape`), the index into `sources` and the frame's number
    from 0. Wrap what reads further attributes of `sources` in dicom_values.quiet: pydicom's warnings quote values.
    """

    scan: Scan
    sources: list[Dataset]
    frames: list[tuple[int, int]]


@dataclass(frozen=True)
class _Instance:
    file: DicomFile
    layout: PixelLayout
    frames: list[Frame]


def read_series(paths: Sequence[Path], limits: VolumeLimits, on_progress: Progress | None = None) -> Series:
    """Files of one MR series, in any order -> Series.

    The file's array is (columns, rows, slices), slices in order of their positions along cross(row, column). Values are
    rescaled as the header says, uint8, uint16 or int16 where they are whole numbers that fit, else float32. Raises
    subclasses of ImageError, whose texts hold nothing of names, UIDs and patients, and whatever `on_progress` raises.
    """
    with quiet():
        instances = _instances(paths, limits)
        _check_one_series([one.file.dataset for one in instances])
        stack = stack_of([frame for one in instances for frame in one.frames])
        _check_alike([one.layout for one in instances])
        _check_instances([one.file.dataset for one in instances])
        grid = _grid(stack, instances[0].layout, limits)
        voxels_ZYXC, loose_ends = _decode(instances, stack, on_progress or (lambda share: None))
        window = stack.frames[len(stack.frames) // 2].window
        if instances[0].layout.photometric == "MONOCHROME1":
            voxels_ZYXC, window = _from_black(voxels_ZYXC, window)
        # What Grid.from_file does, with the channels behind: a view.
        turned = voxels_ZYXC.transpose(2, 1, 0, 3).transpose(*grid.axes, 3)
        voxels_DHWC = np.flip(turned, tuple(axis for axis in range(3) if grid.flips[axis]))
        spacing = stack.frames[0].spacing_mm
        scan = Scan(
            format="DICOM",
            voxels_DHWC=voxels_DHWC,
            grid=grid,
            spacing_mm=_spacing(grid, stack.apart_mm, spacing),
            spacing_source="dicom",
            bit_depth=8 if voxels_ZYXC.dtype == np.uint8 else 16,
            window=window,
            remarks=_remarks([one.file for one in instances], loose_ends),
        )
    frames = [(frame.source, frame.number) for frame in stack.frames]
    return Series(scan, [one.file.dataset for one in instances], frames)


def _instances(paths: Sequence[Path], limits: VolumeLimits) -> list[_Instance]:
    """Every file but DICOMDIRs."""
    found: list[_Instance] = []
    for index, path in enumerate(paths):
        file = read_file(path, file_name(index, len(paths)))
        if file is not None:
            layout, count = layout_of(file, limits)
            found.append(_Instance(file, layout, frames_of(file, len(found), layout, count)))
    if not found:
        raise UnsupportedFormat("There is no DICOM image among the files.")
    return found


def _check_one_series(datasets: list[Dataset]) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        several = len({text(dataset, keyword) for dataset in datasets})
        if several > 1:
            raise SeveralSeries(f"The files belong to {several} series; one series makes one volume.")
    check_one_patient(datasets)
    if len({text(dataset, "FrameOfReferenceUID") for dataset in datasets} - {""}) > 1:
        raise MixedGeometry(
            "The slices have different frames of reference: their positions cannot be compared."
        )


def check_one_patient(datasets: Sequence[Dataset]) -> None:
    """Raise SeveralPatients where headers name different ones; what is missing names nobody."""
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        if len({text(dataset, keyword) for dataset in datasets} - {""}) > 1:
            raise SeveralPatients("The headers name more than one patient; one patient makes one volume.")


def _check_instances(datasets: Sequence[Dataset]) -> None:
    """What refers to the slices, as a segmentation object does, needs a name for each."""
    uids = [uid for dataset in datasets if (uid := text(dataset, "SOPInstanceUID"))]
    if len(set(uids)) < len(uids):
        raise MixedGeometry("Several files have the same SOPInstanceUID, so they cannot be told apart.")


def _check_alike(layouts: list[PixelLayout]) -> None:
    first = layouts[0]
    for layout in layouts[1:]:
        if (layout.rows, layout.columns) != (first.rows, first.columns):
            raise MixedGeometry(
                f"The slices have different sizes: {first.columns} x {first.rows} and"
                f" {layout.columns} x {layout.rows} pixels."
            )
        if (layout.samples, layout.photometric) != (first.samples, first.photometric):
            raise MixedGeometry("The slices are of different kinds: grey, inverted grey, or colour.")


def _grid(stack: Stack, layout: PixelLayout, limits: VolumeLimits) -> Grid:
    shape = (layout.columns, layout.rows, len(stack.frames))
    limits.check(shape)
    try:
        grid = grid_of(stack.affine_ras, shape, slice_axis=2)
    except Lying:
        raise MissingGeometry("The files do not say sensibly how the slices lie in the patient.") from None
    if grid.spacing_mm is None or min(grid.spacing_mm) < LEAST_MM or max(grid.spacing_mm) > MOST_MM:
        raise MissingGeometry(
            f"The headers give distances that no MR image has (less than {LEAST_MM} or more than {MOST_MM} mm)."
        )
    limits.check_slices(grid)
    return grid


def _decode(instances: list[_Instance], stack: Stack, on_progress: Progress) -> tuple[np.ndarray, int]:
    """(slices, rows, columns, 1 or 3), frame by frame, file by file; and of how many files the pixels end loosely."""
    layout, total = instances[0].layout, len(stack.frames)
    dtype = dtype_of([frame.rescale for frame in stack.frames])
    voxels_ZYXC = np.empty((total, layout.rows, layout.columns, layout.samples), dtype)
    places = {(frame.source, frame.number): place for place, frame in enumerate(stack.frames)}
    done = loose_ends = 0
    for one in instances:
        with frame_reader(one.file, one.layout, len(one.frames)) as reader:
            loose_ends += reader.loose_end
            for frame in one.frames:
                values = frame.rescale.values(reader.read(frame.number))
                place = places[frame.source, frame.number]
                voxels_ZYXC[place] = values.reshape(layout.rows, layout.columns, layout.samples)
                done += 1
                on_progress(done / total)
    return voxels_ZYXC, loose_ends


def _from_black(
    voxels_ZYXC: np.ndarray, window: tuple[float, float] | None
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Inverted values so that the darkest is 0: inverted within their bits, black may lie at 64,000 of 65,535."""
    darkest = voxels_ZYXC.min()
    if voxels_ZYXC.dtype.kind == "f":
        voxels_ZYXC -= darkest
    else:
        shifted_ZYXC = np.empty(voxels_ZYXC.shape, np.uint16 if voxels_ZYXC.itemsize > 1 else np.uint8)
        for values, out in zip(voxels_ZYXC, shifted_ZYXC, strict=True):
            out[:] = values.astype(np.int32) - int(darkest)
        voxels_ZYXC = shifted_ZYXC
    return voxels_ZYXC, None if window is None else (window[0] - darkest, window[1] - darkest)


def _spacing(
    grid: Grid, apart_mm: float | None, spacing_mm: tuple[float, float]
) -> tuple[float | None, float, float]:
    """Of slices, rows and columns as they stand on the screen; slices along their normal, tilted or not."""
    by_axis = (spacing_mm[1], spacing_mm[0])  # along the file's columns, rows
    row, column = (float(f"{by_axis[axis]:.6g}") for axis in grid.axes[1:])
    return (None if apart_mm is None else float(f"{apart_mm:.6g}"), row, column)


def _remarks(files: list[DicomFile], loose_ends: int) -> list[dict[str, Any]]:
    remarks: list[dict[str, Any]] = []
    if loose_ends:
        detail = (
            f"Of {loose_ends} of {len(files)} files the pixels are whole and do not end as the standard says: without a"
            " delimiter, or with bytes behind them."
        )
        remarks.append({"code": "loose_end_of_pixels", "detail": detail})
    if any(text(file.dataset, "BurnedInAnnotation") == "YES" for file in files):
        detail = "The header says that text is burned into the pictures: it may name the patient."
        remarks.append({"code": "burned_in_annotation", "detail": detail})
    if any(_is_lossy(file) for file in files):
        detail = "The pixels were compressed with losses: fine detail may be changed."
        remarks.append({"code": "lossy_compression", "detail": detail})
    return remarks


def _is_lossy(file: DicomFile) -> bool:
    said = text(file.dataset, "LossyImageCompression")
    return said == "01" or (said != "00" and file.syntax in LOSSY)
