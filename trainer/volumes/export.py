"""A volume's results from the network's answers: the mask, what is said about it, and the files that last.

Shapes: D slices, H rows, W columns.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from shared.files.slice_zip import write_slices
from shared.masks import rle
from shared.masks.binary_mask import binary_mask
from shared.masks.classes import classes_of
from shared.masks.measure_volume import measure_volume
from shared.pictures.label_png import label_png
from shared.pictures.png_writer import grey_png
from shared.preprocessing.square_pixels import Squared
from shared.volumes.voxel_size import VoxelSize
from trainer.volumes.arrays import new_array
from trainer.volumes.axial_cut import Cut
from trainer.volumes.dicom.segmentation_object import SegmentationObject, SegmentingModel, segmentation_object
from trainer.volumes.nifti_mask import nifti_mask
from trainer.volumes.reading import Study
from trainer.volumes.volume_order import LABEL, PROBABILITY, VolumeChildOrder
from trainer.volumes.volume_workspace import LABELS_ZIP, NIFTI, PROBABILITY_ZIP, SEGMENTATION

TUMOUR = [(1, "tumour")]  # of a binary model
Progress = Callable[[float], None]
Remarks = list[dict[str, Any]]


def export(study: Study, order: VolumeChildOrder, on_progress: Progress) -> tuple[dict[str, Any], Remarks]:
    """probability.npy and label.npy of the order's folder -> the result, warnings, and all files beside it."""
    folder = Path(order.folder)
    probability_DHW = np.load(folder / PROBABILITY, mmap_mode="r")
    labels_DHW = new_array(folder / "labels.npy", np.uint8, probability_DHW.shape)
    told_DHW = np.load(folder / LABEL, mmap_mode="r") if order.labels else None
    # Small regions are left out of the slices that the network saw: however a sequence was acquired, and in whatever
    # format it comes, one patient has one mask.
    cut = Cut.of(study.grid.plane, probability_DHW.shape)
    seen_DHW, kept_DHW = cut.view(probability_DHW), cut.view(labels_DHW)
    told_DHW = None if told_DHW is None else cut.view(told_DHW)
    D, H, W = seen_DHW.shape
    squared = Squared.of(H, W, cut.spacing(study.spacing_mm))
    smallest = squared.pixels(order.min_region_pixels, order.image_size)
    for n, probability_HW in enumerate(seen_DHW):
        mask_HW = binary_mask(np.ascontiguousarray(probability_HW), order.threshold, smallest)
        kept_DHW[n] = mask_HW if told_DHW is None else mask_HW * told_DHW[n]
        on_progress(0.3 * n / D)
    mask_DHW = labels_DHW > 0 if order.labels else labels_DHW
    result = measure_volume(
        mask_DHW,
        probability_DHW,
        study.grid,
        study.spacing_mm,
        threshold=order.threshold,
        min_region_pixels=smallest,
    )
    if order.labels:
        size = VoxelSize(study.grid, study.spacing_mm)
        result["classes"] = classes_of(
            labels_DHW, order.labels, pixel_mm2=size.pixel_mm2, voxel_mm3=size.voxel_mm3
        )
    result["min_region_plane"] = "rows" if cut.across else "slices"
    result["mask"] = rle.rle_slices(mask_DHW)
    on_progress(0.5)
    with (folder / PROBABILITY_ZIP).open("wb") as file:
        write_slices(file, (grey_png(np.ascontiguousarray(slice_HW)) for slice_HW in probability_DHW))
    if order.labels:
        with (folder / LABELS_ZIP).open("wb") as file:
            write_slices(file, (label_png(labels_HW) for labels_HW in labels_DHW))
    on_progress(0.7)
    (folder / NIFTI).write_bytes(nifti_mask(labels_DHW, study.grid))
    on_progress(0.8)
    made = _segmentation(study, order, labels_DHW)
    if made is not None:
        (folder / SEGMENTATION).write_bytes(made.data)
    return result, [*study.remarks, *(made.remarks if made else [])]


def _segmentation(study: Study, order: VolumeChildOrder, labels_DHW: np.ndarray) -> SegmentationObject | None:
    """Of a DICOM series; there is none to refer to otherwise."""
    if study.series is None:
        return None
    return segmentation_object(
        study.series.sources,
        study.series.frames,
        study.grid,
        labels_DHW,
        [(value, name) for value, name in order.labels] or TUMOUR,
        SegmentingModel(**order.model),
        seed=order.seed,
        made=datetime.fromisoformat(order.made),
    )
