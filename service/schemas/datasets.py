"""What makes a dataset, and the resource."""

import re
from typing import Any

import marshmallow as ma
from marshmallow.validate import Length, OneOf, Range

from service.schemas.common import Strict
from service.schemas.segmentations import JobError
from shared.contract.names import DatasetStatus
from shared.datasets.base import LEVELS
from shared.datasets.detect import AUTO, OPTIONS
from shared.datasets.patterns import MAX_PATTERN, compile_pattern

FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_SUFFIX = re.compile(r"[A-Za-z0-9 ._-]{1,40}", re.ASCII)
MAX_INDEX = 999_999_999
OPTION_NAMES = ("patient_pattern", "mask_suffix")


def _printable(text: str) -> None:
    if not text.isprintable() or not text.strip():
        raise ma.ValidationError("Must be printable text on one line.")


def _pattern(text: str) -> None:
    try:
        compile_pattern(text)
    except ValueError as error:
        raise ma.ValidationError(str(error)) from None


def _matches(pattern: re.Pattern[str], says: str) -> Any:
    def check(text: str) -> None:
        if not pattern.fullmatch(text):
            raise ma.ValidationError(says)

    return check


class DatasetFields(Strict):
    """The text fields of `POST /v1/datasets`; the file stands beside them."""

    error_messages = {"unknown": "Not a field of this form."}

    name = ma.fields.String(
        required=True,
        validate=[Length(1, 100), _printable],
        metadata={"description": "For people, and to name it in a training run."},
    )
    format = ma.fields.String(
        load_default=AUTO,
        validate=OneOf(sorted(OPTIONS)),
        metadata={"description": "`auto` looks at the names of the files. See /v1/catalog."},
    )
    patient_pattern = ma.fields.String(
        validate=_pattern,
        metadata={
            "description": "Regular expression whose group finds the patient's name in an image's path.",
            "maxLength": MAX_PATTERN,
            "example": "(TCGA_\\w+)_\\d+",
        },
    )
    mask_suffix = ma.fields.String(
        validate=_matches(_SUFFIX, "Must be 1 to 40 letters, digits, spaces, dots, dashes or underscores."),
        metadata={
            "description": "How masks' names end where it is none of the usual endings.",
            "maxLength": 40,
        },
    )

    @ma.validates_schema
    def check_options(self, data: dict[str, Any], **_: Any) -> None:
        """An option that the format does not have is a mistake, not silence."""
        taken = OPTIONS.get(data.get("format", AUTO), ())
        wrong = {
            name: ["This format has no such option."]
            for name in OPTION_NAMES
            if name in data and name not in taken
        }
        if wrong:
            raise ma.ValidationError(wrong)


class DatasetBody(DatasetFields):
    """The JSON body of `POST /v1/datasets`: a folder that the operator put there."""

    folder = ma.fields.String(
        required=True,
        validate=_matches(FOLDER, "Must be the name of one folder: letters, digits, dot, dash, underscore."),
        metadata={"description": "A subfolder of DATASETS_DIR."},
    )


class PreviewQuery(Strict):
    """Which slice is shown, and how."""

    patient = ma.fields.String(
        validate=Length(1, 300),
        metadata={
            "description": "Name; or number from 0, where no patient has that name. Default: the first."
        },
    )
    slice = ma.fields.String(
        validate=Length(1, 600),
        metadata={
            "description": "Name of the image file; or number from 0, where no file has that name. Of a volume, the "
            "number of the axial slice. Default: that with the largest tumour."
        },
    )
    patient_index = ma.fields.Integer(
        validate=Range(0, MAX_INDEX),
        metadata={"description": "Instead of `patient`: the place among all patients, from 0."},
    )
    slice_index = ma.fields.Integer(
        validate=Range(0, MAX_INDEX),
        metadata={"description": "Instead of `slice`: the place among the patient's slices, from 0."},
    )
    modality = ma.fields.String(
        validate=Length(1, 40),
        metadata={
            "description": "One channel alone: its name, or number from 0; `all`: side by side in grey. Default: "
            "as colours, volumes of several modalities as with `all`.",
            "example": "flair",
        },
    )

    @ma.validates_schema
    def check_one_way(self, data: dict[str, Any], **_: Any) -> None:
        """A thing that is named twice may be two things."""
        wrong = {
            f"{name}_index": [f"Give either this or `{name}`."]
            for name in ("patient", "slice")
            if name in data and f"{name}_index" in data
        }
        if wrong:
            raise ma.ValidationError(wrong)


class Finding(ma.Schema):
    """What is wrong or worth knowing."""

    level = ma.fields.String(validate=OneOf(LEVELS))
    code = ma.fields.String(metadata={"description": "Stable; for programs.", "example": "size_mismatch"})
    detail = ma.fields.String()
    files = ma.fields.List(ma.fields.String(), metadata={"description": "The first of them, or patients."})
    count = ma.fields.Integer(metadata={"description": "How many there are."})


class Size(ma.Schema):
    """How many slices have this size in pixels."""

    width = ma.fields.Integer()
    height = ma.fields.Integer()
    slices = ma.fields.Integer()


class Dataset(ma.Schema):
    """A dataset; the numbers are null until it is ready."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    format = ma.fields.String(
        required=True, metadata={"description": "As asked for; once ready, what was found."}
    )
    options = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    folder = ma.fields.String(required=True, allow_none=True)
    archive_bytes = ma.fields.Integer(required=True, allow_none=True)
    archive_sha256 = ma.fields.String(required=True, allow_none=True)
    status = ma.fields.String(required=True, validate=OneOf([status.value for status in DatasetStatus]))
    created_at = ma.fields.AwareDateTime(required=True)
    finished_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    error = ma.fields.Nested(JobError, required=True, allow_none=True)
    patients = ma.fields.Integer(required=True, allow_none=True)
    patients_from = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What told patients apart: folder, file_name, pattern, csv or content."},
    )
    slices = ma.fields.Integer(required=True, allow_none=True)
    tumour_slices = ma.fields.Integer(required=True, allow_none=True)
    tumour_share = ma.fields.Float(
        required=True, allow_none=True, metadata={"description": "Of all pixels, 0 to 1."}
    )
    channels = ma.fields.Integer(required=True, allow_none=True)
    modalities = ma.fields.List(
        ma.fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "Names of the channels, where they have names.", "example": ["t1", "flair"]},
    )
    classes = ma.fields.List(
        ma.fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "Names of the labels from 1 on.", "example": ["tumour"]},
    )
    truth = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Where the masks come from."}
    )
    spacing_mm = ma.fields.List(
        ma.fields.Float(),
        required=True,
        allow_none=True,
        metadata={"description": "Of slices, rows and columns, where it is known and the same for all."},
    )
    bit_depths = ma.fields.List(ma.fields.Integer(), required=True, allow_none=True)
    label_values = ma.fields.List(ma.fields.Integer(), required=True, allow_none=True)
    sizes = ma.fields.List(ma.fields.Nested(Size), required=True, allow_none=True)
    split_feasible = ma.fields.Boolean(
        required=True, allow_none=True, metadata={"description": "Into three parts, by patient."}
    )
    findings = ma.fields.List(ma.fields.Nested(Finding), required=True)
    links = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class DatasetPage(ma.Schema):
    """A page of datasets."""

    items = ma.fields.List(ma.fields.Nested(Dataset))
    next = ma.fields.String(allow_none=True, metadata={"description": "`cursor` of the next page."})


_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_FORMAT = {"type": "string", "enum": sorted(OPTIONS), "default": AUTO}
_OPTIONS = {
    "patient_pattern": {
        "type": "string",
        "maxLength": MAX_PATTERN,
        "description": "Regular expression whose group finds the patient's name in an image's path.",
    },
    "mask_suffix": {"type": "string", "pattern": f"^{_SUFFIX.pattern}$"},
}

DATASET_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file", "name"],
                "additionalProperties": False,
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "A zip archive."},
                    "name": _NAME,
                    "format": _FORMAT,
                    **_OPTIONS,
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["folder", "name"],
                "additionalProperties": False,
                "properties": {
                    "folder": {
                        "type": "string",
                        "pattern": f"^{FOLDER.pattern}$",
                        "description": "A subfolder of DATASETS_DIR.",
                    },
                    "name": _NAME,
                    "format": _FORMAT,
                    **_OPTIONS,
                },
            }
        },
    },
}
