"""Pixel spacing from a TIFF, where its units are calibrated: ImageJ's and OME's descriptions.

Resolution in dots per inch or centimetre alone says how large the picture prints, never how large the patient is.
"""

import contextlib
import math
from collections.abc import Mapping
from xml.parsers import expat

from shared.imaging.picture import SpacingSource
from shared.imaging.readers.tiff_file import Directory

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
    description = page.raw(_IMAGE_DESCRIPTION)[:_MAX_DESCRIPTION].rstrip(b"\x00 \r\n")
    if description.startswith(b"ImageJ="):
        spacing = _imagej(page, description.decode("utf-8", "replace"))
        return (spacing, "imagej") if spacing else None
    if b"<OME" in description:
        spacing = _ome(description)
        return (spacing, "ome") if spacing else None
    return None


def images_in_description(page: Directory) -> int:
    """How many images ImageJ put behind this one page (its way to store stacks of over 4 GB); 1 for all others."""
    description = page.raw(_IMAGE_DESCRIPTION)[:_MAX_DESCRIPTION]
    if not description.startswith(b"ImageJ="):
        return 1
    said = _imagej_fields(description.decode("utf-8", "replace")).get("images", "1")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 1


def _imagej_fields(description: str) -> Mapping[str, str]:
    pairs = (line.partition("=") for line in description.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _imagej(page: Directory, description: str) -> Spacing | None:
    """ImageJ writes the unit's name here and pixels per unit into the resolution tags.

    Inches are left out: ImageJ takes them over from the print density of files it opens.
    """
    fields = _imagej_fields(description)
    unit = fields.get("unit", "")
    per_unit = page.rational(_Y_RESOLUTION), page.rational(_X_RESOLUTION)
    if not per_unit[0] or not per_unit[1]:
        return None
    return _plausible(1.0 / per_unit[0], fields.get("yunit", unit), 1.0 / per_unit[1], unit)


class _Found(Exception):
    """The first Pixels element was met: nothing after it matters."""


def _ome(description: bytes) -> Spacing | None:
    """PhysicalSizeX and -Y of the first Pixels element (OME data model 2016-06; the unit defaults to µm)."""
    found: dict[str, str] = {}

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
    try:
        row, column = float(found["PhysicalSizeY"]), float(found["PhysicalSizeX"])
    except (KeyError, ValueError):
        return None
    return _plausible(row, found.get("PhysicalSizeYUnit", "µm"), column, found.get("PhysicalSizeXUnit", "µm"))


def _plausible(row: float, row_unit: str, column: float, column_unit: str) -> Spacing | None:
    factors = _MILLIMETRES.get(row_unit.lower()), _MILLIMETRES.get(column_unit.lower())
    if factors[0] is None or factors[1] is None:
        return None
    # Pixels per unit are stored as a fraction of 32-bit integers: six digits are all that is meant.
    spacing = float(f"{row * factors[0]:.6g}"), float(f"{column * factors[1]:.6g}")
    low, high = _PLAUSIBLE_MM
    return spacing if all(math.isfinite(mm) and low <= mm <= high for mm in spacing) else None
