"""Pixel spacing from a TIFF, where its units are calibrated: ImageJ's and OME's descriptions.

Resolution in dots per inch or centimetre alone says how large the picture prints, never how large the patient is.
"""

import contextlib
import math
from collections.abc import Mapping
from xml.parsers import expat

from shared.pictures.picture import SpacingSource
from shared.pictures.tiff.directories import Directory

Spacing = tuple[float, float]

_IMAGE_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION = 270, 282, 283
_MAX_DESCRIPTION = 1 << 20
_MILLIMETRES = {
    "m": 1000.0, "cm": 10.0, "mm": 1.0, "nm": 1e-6,
    "µm": 1e-3, "μm": 1e-3, "um": 1e-3, "micron": 1e-3, "microns": 1e-3, "\\u00b5m": 1e-3,
    "meter": 1000.0, "centimeter": 10.0, "millimeter": 1.0, "micrometer": 1e-3,
}  # fmt: skip
# Outside this range a number is a mistake or a default, not an MRI's pixel (which is 0.1 to 10 mm).
_PLAUSIBLE_MM = (1e-3, 100.0)


def spacing_of(page: Directory) -> tuple[Spacing, SpacingSource] | None:
    """(row, column) in millimetres and who said so; None without calibrated units that make sense."""
    if fields := imagej_fields(page):
        spacing = _imagej(page, fields)
        return (spacing, "imagej") if spacing else None
    if pixels := ome_pixels(page):
        spacing = _both(_ome(pixels, "Y"), _ome(pixels, "X"))
        return (spacing, "ome") if spacing else None
    return None


def slice_spacing_of(page: Directory) -> tuple[float, SpacingSource] | None:
    """The distance of a stack's slices in millimetres, and who said so; None where nobody does."""
    if fields := imagej_fields(page):
        distance = _number(fields.get("spacing", ""))
        spacing = _millimetres(distance, fields.get("zunit", fields.get("unit", "")))
        return (spacing, "imagej") if spacing else None
    if pixels := ome_pixels(page):
        spacing = _ome(pixels, "Z")
        return (spacing, "ome") if spacing else None
    return None


def images_in_description(page: Directory) -> int:
    """How many images ImageJ put behind this one page (its way to store stacks of over 4 GB); 1 for all others."""
    return count_of(imagej_fields(page), "images")


def count_of(fields: Mapping[str, str], name: str) -> int:
    """A number of images, slices, channels, ...; 1 where it is not said or senseless."""
    said = fields.get(name, "1")
    return max(1, int(said)) if said.isascii() and said.isdigit() and len(said) < 10 else 1


def imagej_fields(page: Directory) -> Mapping[str, str]:
    """What ImageJ wrote of the whole stack into the description of its first page; empty for other programs' files."""
    description = _description(page)
    if not description.startswith(b"ImageJ="):
        return {}
    pairs = (line.partition("=") for line in description.decode("utf-8", "replace").splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _description(page: Directory) -> bytes:
    return page.raw(_IMAGE_DESCRIPTION, _MAX_DESCRIPTION).rstrip(b"\x00 \r\n")


def _imagej(page: Directory, fields: Mapping[str, str]) -> Spacing | None:
    """ImageJ writes the unit's name here and pixels per unit into the resolution tags.

    Inches are left out: ImageJ takes them over from the print density of files it opens.
    """
    unit = fields.get("unit", "")
    per_unit = page.rational(_Y_RESOLUTION), page.rational(_X_RESOLUTION)
    if not per_unit[0] or not per_unit[1]:
        return None
    return _both(
        _millimetres(1.0 / per_unit[0], fields.get("yunit", unit)), _millimetres(1.0 / per_unit[1], unit)
    )


class _Found(Exception):
    """The first Pixels element was met: nothing after it matters."""


def ome_pixels(page: Directory) -> Mapping[str, str]:
    """Attributes of the first Pixels element (OME data model 2016-06); empty where there is none."""
    description = _description(page)
    found: dict[str, str] = {}
    if b"<OME" not in description:
        return found

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "Pixels":
            found.update(attributes)
            raise _Found

    def refuse(*_: object) -> None:
        raise _Found  # OME needs no document type; with one come entities that expand without end

    parser = expat.ParserCreate(
        "utf-8"
    )  # OME's only encoding; a name in the text would be looked up among all codecs
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    with contextlib.suppress(_Found, expat.ExpatError):
        parser.Parse(description, True)
    return found


def _ome(pixels: Mapping[str, str], axis: str) -> float | None:
    """PhysicalSizeX, -Y or -Z; the unit defaults to µm."""
    return _millimetres(
        _number(pixels.get(f"PhysicalSize{axis}", "")), pixels.get(f"PhysicalSize{axis}Unit", "µm")
    )


def _number(said: str) -> float | None:
    try:
        return float(said)
    except ValueError:
        return None


def _both(row: float | None, column: float | None) -> Spacing | None:
    return None if row is None or column is None else (row, column)


def _millimetres(value: float | None, unit: str) -> float | None:
    """None for units that do not measure the patient, and for what no MRI has."""
    factor = _MILLIMETRES.get(unit.lower())
    if value is None or factor is None:
        return None
    # Pixels per unit are stored as a fraction of 32-bit integers: six digits are all that is meant.
    spacing = float(f"{value * factor:.6g}")
    low, high = _PLAUSIBLE_MM
    return spacing if math.isfinite(spacing) and low <= spacing <= high else None
