"""Which patient an image is of: by a pattern, a table in the dataset, the folder, or the file's name, in this order.

All slices of a patient must come under one name, or the split by patient leaks.
"""

import codecs
import csv
import io
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix
from pathlib import PurePosixPath

from shared.contract.errors import DatasetError
from shared.datasets import patterns
from shared.datasets.base import Finding, SliceFile
from shared.datasets.pairing import without_roles
from shared.datasets.source import Source
from shared.datasets.spelling import spelled, spelled_path

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_KINDS = frozenset(
    {
        "glioma", "meningioma", "pituitary", "pituitaryadenoma", "metastasi", "metastase", "schwannoma", "neurinoma",
        "glioblastoma", "gbm", "astrocytoma", "oligodendroglioma", "ependymoma", "medulloblastoma", "adenoma",
        "hgg", "lgg", "benign", "malignant", "tumor", "notumor", "nontumor", "withtumor", "withouttumor", "yes", "no",
        "positive", "negative", "pos", "neg", "normal", "abnormal", "healthy", "class", "other", "lesion", "nolesion",
        "cancer", "nocancer",
    }
)  # fmt: skip
_LETTERS = re.compile(r"[^a-z]+")
_NUMBER = re.compile(r"^(?P<name>.*?)[ _.-]*\(?(?P<number>\d{1,9})\)?$", re.DOTALL)
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "image_path", "path", "case", "case_id", "scan", "session")
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
    stated = stated_patients(images, source, pattern)
    if stated is not None:
        return stated
    images = [spelled_path(path) for path in images]
    folders = _folders(images)
    if all(folders):
        return Patients(list(folders), "folder")
    return Patients(
        [folder or _by_file_name(path) for path, folder in zip(images, folders, strict=True)],
        "file_name",
    )


def stated_patients(
    images: Sequence[PurePosixPath], source: Source, pattern: str | None
) -> Patients | None:
    """What a pattern, or a table in the dataset, says of these images; None where there is neither."""
    if pattern is not None:
        return Patients(_by_pattern([spelled_path(path) for path in images], pattern), "pattern")
    table = _table(source)
    if not table:
        return None
    keys = [spelled_path(path) for path in images]
    return Patients([table.get(str(path)) or table.get(path.name) for path in keys], "csv")


def regrouped(slices: Sequence[SliceFile], stated: Patients) -> tuple[list[SliceFile], list[PurePosixPath]]:
    """Slices under the patients that were stated for them, in order, numbered anew; and those without."""
    named = [replace(item, patient=name, part="") for item, name in zip(slices, stated.names, strict=True) if name]
    untold = [item.image for item, name in zip(slices, stated.names, strict=True) if not name]
    named.sort(key=lambda item: (item.patient, str(item.image.parent), item.index))
    places: defaultdict[str, int] = defaultdict(int)
    numbered = []
    for item in named:
        numbered.append(replace(item, index=places[item.patient]))
        places[item.patient] += 1
    return numbered, untold


def nameless(images: Sequence[PurePosixPath], told_by: str) -> list[Finding]:
    """The error that these have no patient, if there are any."""
    if not images:
        return []
    what = "no part that the patient_pattern finds" if told_by == "pattern" else "no row in the CSV"
    detail = f"These images have {what}, so their patient is not known."
    return [Finding.of("error", "patient_unknown", detail, images)]


def kinds_of(images: Sequence[PurePosixPath]) -> list[str]:
    """The names of folders around these images that say what is to be seen, and so tell no patients apart."""
    return sorted({part for path in images for part in path.parts[:-1] if is_kind(part)})


def is_kind(folder: str) -> bool:
    """Whether a folder is named after a kind of tumour or a diagnosis: `glioma_tumor`, `No Tumour`, `class_1`."""
    word = _LETTERS.sub("", folder.lower()).replace("tumour", "tumor")
    if word != "class" and any(letter.isdigit() for letter in folder):
        return False  # GBM_001 and LGG-104 are patients
    return word in _KINDS or word.removesuffix("s") in _KINDS or word.removesuffix("tumor") in _KINDS


def _by_file_name(path: PurePosixPath) -> str:
    """Without the number at its end; in a folder of a kind, that and the name: numbers begin anew in each of them."""
    name = split_number(path.stem)[0]
    kinds = [part for part in path.parts[:-1] if is_kind(part)]
    return "/".join([*kinds, name])


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
    names = without_roles(path.parts[:-1])
    return tuple(name for name in names if name.lower() not in _SPLITS and not is_kind(name))


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
            file = spelled((row.get(file_column) or "").strip().replace("\\", "/").removeprefix("./"))
            patient = spelled((row.get(patient_column) or "").strip())
            if file and patient and found.setdefault(file, patient) != patient:
                raise DatasetError(f"{name} gives two patients for {file}")
    except csv.Error:
        return {}
    return found


def _first(get: Callable[[str], str | None], names: Sequence[str]) -> str | None:
    return next((found for name in names if (found := get(name)) is not None), None)
