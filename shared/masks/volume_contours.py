"""Outlines of a volume's mask, slice by slice, in pixels or in the patient's millimetres."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from shared.masks.contours import contours
from shared.masks.rounding import six_digits

# Of coordinates: a micrometre, far below a voxel.
_DECIMALS = 3


def contours_of_volume(
    masks: Mapping[int, np.ndarray], affine_lps: np.ndarray | None = None, pixel_mm2: float | None = None
) -> dict[str, Any]:
    """Bool masks (H, W) by the number of their slice -> GeoJSON FeatureCollection, a feature a piece and slice.

    Without `affine_lps`, coordinates are those of `contours`: [0, 0] is the outer corner of the top left pixel. With
    it, (4, 4) from (column, row, slice, 1) to millimetres, they are [L, P, H]: to the patient's left, back and head.
    The collection's foreign member `coordinate_system` says which: "pixels" or "patient_lps_mm" (`coordinates` itself
    is forbidden there, RFC 7946, 7.1). Properties: `slice`, `area_pixels`, and `area_mm2` where a pixel's area is
    known (`pixel_mm2`, or else by the affine).
    """
    if pixel_mm2 is None and affine_lps is not None:
        pixel_mm2 = float(np.linalg.norm(np.cross(affine_lps[:3, 0], affine_lps[:3, 1])))
    features = [
        _feature(feature, index, affine_lps, pixel_mm2)
        for index in sorted(masks)
        for feature in contours(masks[index])["features"]
    ]
    kind = "pixels" if affine_lps is None else "patient_lps_mm"
    return {"type": "FeatureCollection", "coordinate_system": kind, "features": features}


def _feature(
    feature: Mapping[str, Any], index: int, affine_lps: np.ndarray | None, pixel_mm2: float | None
) -> dict[str, Any]:
    area = feature["properties"]["area_pixels"]
    properties: dict[str, Any] = {"slice": index, "area_pixels": area}
    if pixel_mm2 is not None:
        properties["area_mm2"] = six_digits(area * pixel_mm2)
    rings = feature["geometry"]["coordinates"]
    if affine_lps is not None:
        rings = list(_in_patient(rings, index, affine_lps))
    return {**feature, "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}}


def _in_patient(rings: list[Any], index: int, affine_lps: np.ndarray) -> Iterator[list[list[float]]]:
    for ring in rings:
        xy = np.asarray(ring, np.float64)
        corners = np.column_stack(
            (xy - 0.5, np.full(len(xy), index), np.ones(len(xy)))
        )  # centres are integers
        yield np.round((corners @ affine_lps.T)[:, :3], _DECIMALS).tolist()
