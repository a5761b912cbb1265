"""The form that starts a segmentation, and the resource that it makes."""

import marshmallow as ma
from marshmallow.validate import OneOf, Range

from service.schemas.common import Strict
from service.schemas.fields import Colour, Flag, ModelName, Number, Spacing
from shared.contract.names import DEFAULT_ALIAS, SegmentationStatus

MASK_FORMATS = ("rle", "png", "none")
MAX_WAIT_S = 20.0


class SegmentationFields(Strict):
    """The text fields of `POST /v1/segmentations`; the file stands beside them."""

    error_messages = {"unknown": "Not a field of this form."}

    model = ModelName(
        load_default=DEFAULT_ALIAS,
        metadata={"description": "Model id or alias; an alias is resolved when the job is accepted."},
    )
    threshold = Number(
        above=0.0,
        most=1.0,
        load_default=None,
        metadata={"description": "Probability from which on a pixel is tumour. Default: the model's own."},
    )
    pixel_spacing_mm = Spacing(
        load_default=None,
        metadata={
            "description": "`0.5` or `0.5,0.7` (row, column), in millimetres; overrides what the file says.",
            "example": "0.5,0.7",
        },
    )
    mask_format = ma.fields.String(
        load_default="rle",
        validate=OneOf(MASK_FORMATS),
        metadata={"description": "How the answer holds the mask."},
    )
    wait = Number(
        least=0.0,
        most=MAX_WAIT_S,
        load_default=10.0,
        metadata={"description": "Seconds to wait for the end before the answer is 202."},
    )


class ReadQuery(Strict):
    """Query of `GET /v1/segmentations/{id}`."""

    mask_format = ma.fields.String(load_default="rle", validate=OneOf(MASK_FORMATS))


class NoQuery(Strict):
    """A route that takes no parameter."""


class OverlayQuery(Strict):
    """How the overlay is painted."""

    opacity = Number(least=0.0, most=1.0, load_default=0.5)
    color = Colour(load_default=(255, 0, 0), metadata={"description": "RRGGBB", "example": "ff0000"})
    outline = Flag(load_default=False, metadata={"description": "Only the edge of the mask."})


class Image(ma.Schema):
    """What was uploaded."""

    format = ma.fields.String(metadata={"example": "TIFF"})
    width = ma.fields.Integer()
    height = ma.fields.Integer()
    channels = ma.fields.Integer()
    bit_depth = ma.fields.Integer()
    sha256 = ma.fields.String(metadata={"description": "Of the file as it was sent."})
    pixel_spacing_mm = ma.fields.List(
        ma.fields.Float(), allow_none=True, metadata={"description": "Row, column."}
    )
    pixel_spacing_source = ma.fields.String(allow_none=True, metadata={"example": "request"})


class ModelUsed(ma.Schema):
    """The model that a segmentation was resolved to."""

    id = ma.fields.String()
    alias = ma.fields.String(allow_none=True)
    architecture = ma.fields.String(metadata={"example": "unet"})
    encoder = ma.fields.String(allow_none=True, metadata={"example": "mobilenet_v2"})


class Mask(ma.Schema):
    """The mask: COCO's compressed RLE (column-major) or a base64 PNG."""

    encoding = ma.fields.String(validate=OneOf(("rle", "png")))
    size = ma.fields.List(ma.fields.Integer(), metadata={"description": "[height, width]"})
    counts = ma.fields.String(metadata={"description": "With `rle`: COCO compressed RLE."})
    data = ma.fields.String(metadata={"description": "With `png`: base64 of a PNG with 0 and 255."})


class Region(ma.Schema):
    """One connected region of the mask."""

    area_pixels = ma.fields.Integer()
    area_mm2 = ma.fields.Float(allow_none=True)
    bbox = ma.fields.List(ma.fields.Float(), metadata={"description": "[x, y, width, height]"})
    centroid = ma.fields.List(ma.fields.Float(), metadata={"description": "[x, y]"})
    max_diameter_mm = ma.fields.Float(allow_none=True)


class Result(ma.Schema):
    """What was found."""

    tumor_detected = ma.fields.Boolean()
    confidence = ma.fields.Float()
    threshold = ma.fields.Float()
    min_region_pixels = ma.fields.Integer()
    area_pixels = ma.fields.Integer()
    coverage_percent = ma.fields.Float()
    brain_coverage_percent = ma.fields.Float(allow_none=True)
    area_mm2 = ma.fields.Float(allow_none=True)
    area_mm2_reason = ma.fields.String(allow_none=True)
    mask = ma.fields.Nested(Mask, allow_none=True)
    regions = ma.fields.List(ma.fields.Nested(Region))


class Note(ma.Schema):
    """Something a reader of the result should know, or why a job failed."""

    code = ma.fields.String()
    detail = ma.fields.String()


class JobError(ma.Schema):
    """Why a job failed."""

    code = ma.fields.String()
    message = ma.fields.String()


class Segmentation(ma.Schema):
    """A segmentation."""

    id = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=OneOf([status.value for status in SegmentationStatus]))
    progress = ma.fields.Float(required=True, validate=Range(0, 1))
    created_at = ma.fields.AwareDateTime(required=True)
    finished_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    expires_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    error = ma.fields.Nested(JobError, required=True, allow_none=True)
    image = ma.fields.Nested(Image, required=True)
    model = ma.fields.Nested(ModelUsed, required=True)
    result = ma.fields.Nested(Result, required=True, allow_none=True)
    warnings = ma.fields.List(ma.fields.Nested(Note), required=True)
    timings_ms = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Float(), required=True)
    links = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class SegmentationPage(ma.Schema):
    """Segmentations, newest first."""

    items = ma.fields.List(ma.fields.Nested(Segmentation), required=True)
    next = ma.fields.String(required=True, allow_none=True)
