"""A study from its files: one scan, or one a sequence on the same grid, as 16-bit pixels that slices are cut from.

Shapes: D slices, H rows, W columns, C channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.contract.errors import (
    GridsDiffer,
    InvalidFields,
    MissingModality,
    SequenceOrderUnknown,
    UnsupportedFormat,
    UnsupportedPhotometric,
)
from shared.files.sniff import HEAD_BYTES, sniff
from shared.preprocessing.channels import GREY, channel_indices
from shared.volumes import nifti_scans, tiff_stack
from shared.volumes.grid import Grid, apart_mm
from shared.volumes.intensities import Mapping16, write_uint16
from shared.volumes.scan import Scan, VolumeLimits
from shared.volumes.voxel_size import MaybeSpacing
from trainer.volumes.arrays import new_array
from trainer.volumes.axial_cut import Cut
from trainer.volumes.dicom.series import Series, check_one_patient, read_series
from trainer.volumes.dicom.values import quiet, text
from trainer.volumes.volume_order import VOLUME, VolumeChildOrder

_VOLUMES = ("DICOM", "NIfTI", "TIFF")
_MAY_BE_DAMAGED = ("unknown", "empty", "gzip")
WHOLE = "image"  # the field of a volume that is not called by its sequence
_GRID_SLACK_MM = 0.1
_SPACING_SLACK = 0.01
_WINDOW_PERCENTILES = (0.5, 99.5)
_PERCENTILE_VOXELS = 2_000_000
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Read:
    """What the files of one field hold."""

    scans: list[Scan]
    series: Series | None = None


@dataclass(frozen=True)
class Study:
    """What was read. `channels` are those of volume.npy that the model is given, in its order.

    `series` has the headers of the sequence that stands for the study where it is DICOM; `image` is what clients see.
    """

    grid: Grid
    spacing_mm: MaybeSpacing
    channels: tuple[int, ...]
    series: Series | None
    image: dict[str, Any]
    remarks: list[dict[str, Any]] = field(default_factory=list)


def read_study(
    parts: dict[str, list[Path]], order: VolumeChildOrder, on_progress: Progress = lambda share: None
) -> Study:
    """Read all files and write volume.npy; raises ImageError by name."""
    reads, left = {}, order.max_voxels
    for n, (name, paths) in enumerate(parts.items()):
        limits = VolumeLimits(max_voxels=left)
        reads[name] = read_files(paths, limits, lambda share, n=n: on_progress((n + share) / len(parts)))  # type: ignore[misc]
        left -= sum(scan.voxels_DHWC.size for scan in reads[name].scans)
    names, scans, remarks = _arranged(reads, order)
    main = names.index(GREY) if GREY in names else 0
    shown = scans[main]  # stands for the study: its grid is that of every output
    channels = sum(scan.voxels_DHWC.shape[3] for scan in scans)
    try:
        wanted = channel_indices(order.channels, order.in_channels, names, channels)
    except InvalidFields as error:
        raise MissingModality(_needs(order, error)) from None
    window = _write(scans, Path(order.folder) / VOLUME, main)
    spacing_mm = _spacing(shown, order)
    told = [remark for scan in scans for remark in scan.remarks]
    series = reads[WHOLE].series if WHOLE in reads else reads[names[main]].series
    return Study(
        grid=shown.grid,
        spacing_mm=_measured_with(shown, spacing_mm),
        channels=wanted,
        series=series,
        image=_image(shown, names, channels, spacing_mm, window),
        remarks=_once(
            [
                *told,
                *remarks,
                *_plane_remarks(shown.grid),
                *_spacing_remarks(shown, spacing_mm),
                *_unused(names, wanted),
            ]
        ),
    )


def _measured_with(scan: Scan, spacing_mm: MaybeSpacing) -> MaybeSpacing:
    """A tilted gantry: what is shown is the distance of slices, and measures go along the grid's leaning steps."""
    own = spacing_mm == scan.spacing_mm and None not in spacing_mm
    return scan.grid.spacing_mm if own and scan.grid.spacing_mm is not None else spacing_mm


def _plane_remarks(grid: Grid) -> list[dict[str, Any]]:
    if grid.plane == "axial":
        return []
    if Cut.of(grid.plane, grid.shape).across:
        done = "the network was given axial ones, cut across them, because it learned from such."
    else:
        done = "a network that learned from axial ones may be wrong."
    return [{"code": "not_axial", "detail": f"The slices are {grid.plane}; {done}"}]


def read_files(paths: Sequence[Path], limits: VolumeLimits, on_progress: Progress) -> Read:
    """A DICOM series, or one file of another format; raises ImageError."""
    kinds = {path: _kind(path) for path in paths}
    # A CD's viewer, its pages, a note: plainly something else. What nobody knows may be a damaged slice.
    found = next((kind for kind in _VOLUMES if kind in kinds.values()), None)
    likely = [path for path, kind in kinds.items() if kind in (found, *_MAY_BE_DAMAGED)]
    read: Read | None = None
    if found == "DICOM":
        series = read_series(likely, limits, on_progress)
        read = Read([series.scan], series)
    elif found == "NIfTI" and len(likely) == 1:
        read = Read(nifti_scans.read_scans(likely[0], limits))
    elif found == "TIFF" and len(likely) == 1:
        read = Read([tiff_stack.read_scan(likely[0], limits)])
    if read is not None:
        if len(likely) < len(paths):
            read.scans[0].remarks.append(_left_out(len(paths) - len(likely), len(paths)))
        return read
    raise UnsupportedFormat(
        "This is no volume that is read here: send a DICOM series, or one NIfTI file or TIFF stack a field"
        f" (none of {len(paths)} files is DICOM); several sequences go into modality_t1 and so on."
    )


def _left_out(number: int, of: int) -> dict[str, Any]:
    detail = f"{number} of {of} files are no part of the volume and were left out."
    return {"code": "files_left_out", "detail": detail}


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES))


def _arranged(
    reads: dict[str, Read], order: VolumeChildOrder
) -> tuple[tuple[str, ...], list[Scan], list[dict[str, Any]]]:
    """Names of the channels (none where they have none), their scans, and what is to be said of it."""
    if WHOLE in reads:
        scans = reads[WHOLE].scans
        if order.sequence_order is not None:
            return _in_order(scans, order.sequence_order), scans, []
        if len(scans) > 1:
            raise SequenceOrderUnknown(_how_to_say_it(len(scans), order))
        return (), scans, []
    scans = []
    for name, read in reads.items():
        if len(read.scans) != 1 or read.scans[0].voxels_DHWC.shape[3] != 1:
            raise UnsupportedPhotometric(
                f"The files of modality_{name} hold more than one volume in grey; send one sequence a field."
            )
        scans.append(read.scans[0])
    _check_grids(tuple(reads), scans)
    _check_headers([read.series for read in reads.values() if read.series is not None])
    return tuple(reads), scans, []


def _in_order(scans: list[Scan], names: list[str]) -> tuple[str, ...]:
    """The names, one a volume."""
    if len(names) != len(scans):
        holds = "one volume" if len(scans) == 1 else f"{len(scans)} volumes along its fourth axis"
        raise SequenceOrderUnknown(
            f"sequence_order names {len(names)} ({', '.join(names)}), and the file holds {holds}: name each, in the"
            " file's order."
        )
    return tuple(names)


def _how_to_say_it(volumes: int, order: VolumeChildOrder) -> str:
    takes = f"{order.in_channels} ({', '.join(order.channels)})" if order.channels else str(order.in_channels)
    return (
        f"The file holds {volumes} volumes along its fourth axis, and nothing in it says in which order; the model"
        f" takes {takes}. Send sequence_order with the name of each in the file's order, such as flair,t1,t1ce,t2; or"
        " each in a field of its own (modality_t1, modality_t1ce, modality_t2, modality_flair)."
    )


def _check_headers(series: list[Series]) -> None:
    """Sequences of one patient, in one frame of reference."""
    headers = [one.sources[0] for one in series]
    with quiet():
        check_one_patient(headers)
        frames = {text(header, "FrameOfReferenceUID") for header in headers} - {""}
    if len(frames) > 1:
        raise GridsDiffer(
            "The sequences have different frames of reference, so their positions cannot be compared."
        )


def _check_grids(names: tuple[str, ...], scans: list[Scan]) -> None:
    first = scans[0]
    for name, scan in zip(names[1:], scans[1:], strict=True):
        if scan.grid.shape != first.grid.shape:
            shapes = [" x ".join(map(str, each.grid.shape)) for each in (scan, first)]
            raise GridsDiffer(f"modality_{name} has {shapes[0]} voxels, modality_{names[0]} {shapes[1]}.")
        if apart_mm(scan.grid, first.grid) > _GRID_SLACK_MM:
            raise GridsDiffer(
                f"modality_{name} lies elsewhere in the patient than modality_{names[0]}: register them first."
            )


def _needs(order: VolumeChildOrder, error: InvalidFields) -> str:
    said = " ".join(message for messages in (error.errors or {}).values() for message in messages)
    return f"The model {said}."


def _spacing_remarks(scan: Scan, spacing_mm: MaybeSpacing) -> list[dict[str, Any]]:
    remarks = []
    if any(
        own is not None and asked is not None and abs(own - asked) > _SPACING_SLACK * own
        for own, asked in zip(scan.spacing_mm, spacing_mm, strict=True)
    ):
        detail = (
            "The spacing of the request is not that of the file. Areas and volumes are by the request; masks as files,"
            " outlines in millimetres and `affine` lie as the file says."
        )
        remarks.append({"code": "spacing_contradicts_file", "detail": detail})
    if scan.spacing_mm[0] is None and scan.grid.spacing_mm is not None:
        detail = "The file does not say how thick the slice is; 1 mm stands for it in `affine` and in masks as files."
        remarks.append({"code": "slice_spacing_unknown", "detail": detail})
    return remarks


def _unused(names: tuple[str, ...], wanted: tuple[int, ...]) -> list[dict[str, Any]]:
    left = [name for place, name in enumerate(names) if place not in wanted]
    if not left:
        return []
    detail = f"The model was not given {', '.join(left)}: it takes other sequences."
    return [{"code": "sequence_not_used", "detail": detail}]


def _write(scans: list[Scan], path: Path, main: int) -> tuple[float, float]:
    """volume.npy, 8 bit where all files are, and what is shown as black and white, in its values."""
    shape = (*scans[0].grid.shape, sum(scan.voxels_DHWC.shape[3] for scan in scans))
    eight = all(scan.voxels_DHWC.dtype == np.uint8 for scan in scans)
    volume_DHWC = new_array(path, np.uint8 if eight else np.uint16, shape)
    channel, shown = 0, Mapping16()
    for scan in scans:
        mapping = Mapping16()
        for c in range(scan.voxels_DHWC.shape[3]):
            if eight:
                volume_DHWC[..., channel] = scan.voxels_DHWC[..., c]
            else:
                mapping = write_uint16(scan.voxels_DHWC[..., c], volume_DHWC[..., channel])
            if channel == main:
                shown = mapping
            channel += 1
    volume_DHWC.flush()
    colour = len(scans) == 1 and shape[3] > 1
    said = scans[0 if colour else main].window
    if said is not None:
        low, high = shown.of(said[0]), shown.of(said[1])
        if low < high:
            return low, high
    if eight:
        return 0.0, 255.0
    return _percentiles(volume_DHWC if colour else volume_DHWC[..., main])


def _percentiles(volume: np.ndarray) -> tuple[float, float]:
    step = max(1, round((volume.size / _PERCENTILE_VOXELS) ** (1 / 3)))
    low, high = np.percentile(volume[::step, ::step, ::step], _WINDOW_PERCENTILES)
    if low == high:
        low, high = float(volume.min()), float(volume.max())
    return float(low), float(max(high, low + 1))


def _spacing(scan: Scan, order: VolumeChildOrder) -> MaybeSpacing:
    """What the request says wins over the file."""
    depth, row, column = scan.spacing_mm
    if order.pixel_spacing_mm is not None:
        row, column = order.pixel_spacing_mm
    return order.slice_spacing_mm or depth, row, column


def _image(
    scan: Scan,
    names: tuple[str, ...],
    channels: int,
    spacing_mm: MaybeSpacing,
    window: tuple[float, float],
) -> dict[str, Any]:
    slices, height, width = scan.grid.shape
    depth, row, column = spacing_mm
    known = row is not None and column is not None
    source = scan.spacing_source if spacing_mm[1:] == scan.spacing_mm[1:] else "request"
    return {
        "format": scan.format,
        "width": width,
        "height": height,
        "slices": slices,
        "channels": channels,
        "bit_depth": scan.bit_depth,
        "pixel_spacing_mm": [row, column] if known else None,
        "pixel_spacing_source": source if known else None,
        "slice_spacing_mm": depth,
        "plane": None if scan.grid.spacing_mm is None else scan.grid.plane,
        "modalities": list(names),
        "affine": scan.grid.affine_lps.tolist() if scan.grid.spacing_mm is not None else None,
        "window": list(window),
    }


def _once(remarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({remark["code"]: remark for remark in remarks}.values())
