"""Which patient an image is of: by a pattern, a table in the dataset, the folder, or the file's name, in this order.

All slices of a patient must come under one name, or the split by patient leaks.
"""

import codecs
import csv
import io
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from pathlib import PurePosixPath

from shared.contract.errors import DatasetError
from shared.datasets import patterns
from shared.datasets.pairing import without_roles
from shared.datasets.source import Source

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_NUMBER = re.compile(r"^(?P<name>.*?)[ _.-]*\(?(?P<number>\d{1,9})\)?$", re.DOTALL)
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_path", "path")
_PATIENT_COLUMNS = ("patient", "patient_id", "patientid", "subject", "subject_id")
_MAX_TABLE_BYTES = 64 * 1024 * 1024
_PATTERN_S = 30.0  # for all paths of a dataset together


@dataclass(frozen=True)
class Patients:
    """The patient of each image (None: not told), and what told it."""

    names: list[str | None]
    told_by: str  # pattern | csv | folder | file_name


def patients_of(images: Sequence[PurePosixPath], source: Source, pattern: str | None) -> Patients:
    """The patients of these images.

    Raises DatasetError where the pattern takes too long, or a table contradicts itself.
    """
    if pattern is not None:
        return Patients(_by_pattern(images, pattern), "pattern")
    table = _table(source)
    if table:
        return Patients([table.get(str(path)) or table.get(path.name) for path in images], "csv")
    folders = _folders(images)
    told_by = "folder" if all(folders) else "file_name"
    return Patients(
        [folder or split_number(path.stem)[0] for path, folder in zip(images, folders, strict=True)], told_by
    )


def split_number(stem: str) -> tuple[str, int | None]:
    """`P7_slice_12` -> (`P7_slice`, 12); a name that is only a number, or has none, stays whole."""
    match = _NUMBER.match(stem[-100:]) if len(stem) <= 100 else None
    if match is None:
        return stem, None
    return match["name"] or stem, int(match["number"])


def _by_pattern(images: Sequence[PurePosixPath], text: str) -> list[str | None]:
    pattern, deadline = patterns.compile_pattern(text), time.monotonic() + _PATTERN_S
    names = []
    for path in images:
        if time.monotonic() > deadline:
            raise DatasetError("the patient_pattern takes too long on these file names; make it simpler")
        names.append(patterns.find(pattern, str(path)))
    return names


def _folders(images: Sequence[PurePosixPath]) -> list[str]:
    """The first folder that tells images apart; coarse on purpose: a folder inside a patient's is no other patient."""
    places = [_place(path) for path in images]
    shared = len(commonprefix(places)) if places else 0  # works on any sequences
    return [place[shared] if len(place) > shared else "" for place in places]


def _place(path: PurePosixPath) -> tuple[str, ...]:
    return tuple(name for name in without_roles(path.parts[:-1]) if name.lower() not in _SPLITS)


def _table(source: Source) -> dict[str, str]:
    """File -> patient, by relative path or by name, from the first CSV that has columns for both.

    Paths count from the dataset or from the CSV's own folder. Raises DatasetError where a file has two patients.
    """
    tables = [name for name in source.names() if name.lower().endswith(".csv")]
    for name in sorted(tables, key=lambda name: (name.count("/"), name))[:20]:
        data = source.read(name)
        if len(data) <= _MAX_TABLE_BYTES and (found := _rows(name, data)):
            folder = PurePosixPath(name).parent
            return {str(folder / file): patient for file, patient in found.items()} | found
    return {}


def _rows(name: str, data: bytes) -> dict[str, str]:
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = data.decode(encoding, "replace")
    head = text.partition("\n")[0]
    found: dict[str, str] = {}
    try:
        # Spreadsheets of half the world write semicolons.
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
        columns = {(column or "").strip().lower(): column for column in reader.fieldnames or ()}
        file_column = _first(columns.get, _FILE_COLUMNS)
        patient_column = _first(columns.get, _PATIENT_COLUMNS)
        if file_column is None or patient_column is None:
            return {}
        for row in reader:
            file = (row.get(file_column) or "").strip().replace("\\", "/").removeprefix("./")
            patient = (row.get(patient_column) or "").strip()
            if file and patient and found.setdefault(file, patient) != patient:
                raise DatasetError(f"{name} gives two patients for {file}")
    except csv.Error:
        return {}
    return found


def _first(get: Callable[[str], str | None], names: Sequence[str]) -> str | None:
    return next((found for name in names if (found := get(name)) is not None), None)
