"""The form that starts a segmentation, and the resource that it makes."""

import marshmallow as ma
from marshmallow.validate import Length, OneOf, Range

from service.schemas.common import ListQuery, Strict
from service.schemas.fields import (
    MAX_SPACING_MM,
    MIN_SPACING_MM,
    Colour,
    Flag,
    ModelName,
    Number,
    SequenceOrder,
    Spacing,
    Whole,
)
from shared.contract.names import DEFAULT_ALIAS, SegmentationStatus
from shared.pictures.thumbnail import LARGEST, SMALLEST, USUAL

MASK_FORMATS = ("rle", "png", "none")
MIN_REGION_PLANES = ("slices", "rows")
MAX_WAIT_S = 20.0
MAX_COLUMNS = 30


class SegmentationFields(Strict):
    """The text fields of `POST /v1/segmentations`; the files stand beside them."""

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
    slice_spacing_mm = Number(
        least=MIN_SPACING_MM,
        most=MAX_SPACING_MM,
        load_default=None,
        metadata={
            "description": "Of volumes: from one slice to the next, in millimetres; overrides the file's."
        },
    )
    sequence_order = SequenceOrder(
        load_default=None,
        metadata={
            "description": "Of one NIfTI file with several sequences (fourth axis): what they are, in its order.",
            "example": "flair,t1,t1ce,t2",
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


class SegmentationListQuery(ListQuery):
    """`?limit=&cursor=&mask_format=`."""

    mask_format = ma.fields.String(
        load_default="rle",
        validate=OneOf(MASK_FORMATS),
        metadata={"description": "How masks of pictures are held; of volumes a list has none."},
    )


class NoQuery(Strict):
    """A route that takes no parameter."""


class SliceQuery(Strict):
    """Which slice of a volume."""

    slice = Whole(
        least=0,
        most=99_999,
        load_default=None,
        metadata={
            "description": "Of a volume, from 0; default: the one with most tumour, else the middle one."
        },
    )


class ImageQuery(SliceQuery):
    """Which slice and modality of a volume."""

    modality = ma.fields.String(
        load_default=None,
        validate=Length(1, 40),
        metadata={
            "description": "Of a volume with several; default: flair, else the first.",
            "example": "flair",
        },
    )


class OverlayQuery(ImageQuery):
    """How the overlay is painted."""

    opacity = Number(least=0.0, most=1.0, load_default=0.5)
    color = Colour(
        load_default=None,
        metadata={
            "description": "RRGGBB; default ff0000. Without it each of several classes has a colour of its own.",
            "example": "ff0000",
        },
    )
    outline = Flag(load_default=False, metadata={"description": "Only the edge of the mask."})


class ThumbnailQuery(Strict):
    """How large the small picture is."""

    size = Whole(
        least=SMALLEST,
        most=LARGEST,
        load_default=USUAL,
        metadata={"description": "Pixels of the longer side, at most; the upload is never enlarged."},
    )


class ContoursQuery(Strict):
    """Which outlines, and in which coordinates."""

    slice = Whole(
        least=0,
        most=99_999,
        load_default=None,
        metadata={"description": "Of a volume, from 0; default: all slices with tumour."},
    )
    coordinates = ma.fields.String(
        load_default="pixels",
        validate=OneOf(("pixels", "patient")),
        metadata={
            "description": "`pixels` of the slice, or millimetres to the patient's left, back and head (as DICOM has "
            "it), where the file says how it lies."
        },
    )


class MontageQuery(Strict):
    """Which slices stand beside each other."""

    columns = Whole(least=1, most=MAX_COLUMNS, load_default=6)
    slices = ma.fields.String(
        load_default="tumour",
        validate=OneOf(("tumour", "all")),
        metadata={
            "description": "Those with tumour (if there is none: 12 of all), or all; at most 30, evenly chosen."
        },
    )


class Image(ma.Schema):
    """What was uploaded. Of a volume most is null until a worker has read it."""

    format = ma.fields.String(allow_none=True, metadata={"example": "TIFF"})
    width = ma.fields.Integer(allow_none=True)
    height = ma.fields.Integer(allow_none=True)
    channels = ma.fields.Integer(allow_none=True)
    bit_depth = ma.fields.Integer(allow_none=True)
    sha256 = ma.fields.String(
        allow_none=True,
        metadata={
            "description": "Of the file as it was sent; of several files, of their digests (hexadecimal) joined, "
            "sorted by field and digest."
        },
    )
    pixel_spacing_mm = ma.fields.List(
        ma.fields.Float(), allow_none=True, metadata={"description": "Row, column."}
    )
    pixel_spacing_source = ma.fields.String(allow_none=True, metadata={"example": "request"})
    slices = ma.fields.Integer(allow_none=True, metadata={"description": "Here and below: only of volumes."})
    slice_spacing_mm = ma.fields.Float(
        allow_none=True, metadata={"description": "From one slice to the next."}
    )
    plane = ma.fields.String(allow_none=True, metadata={"description": "axial, coronal or sagittal"})
    modalities = ma.fields.List(
        ma.fields.String(), metadata={"description": "Names of the channels, where they have names."}
    )
    affine = ma.fields.List(
        ma.fields.List(ma.fields.Float()),
        allow_none=True,
        metadata={
            "description": "4 x 4, from (column, row, slice, 1) to millimetres to the patient's left, back and head; "
            "null where the file does not say how it lies."
        },
    )
    window = ma.fields.List(
        ma.fields.Float(),
        allow_none=True,
        metadata={"description": "What image.png shows as black and as white."},
    )
    files = ma.fields.Integer(allow_none=True, metadata={"description": "How many were sent."})
    source = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        metadata={"description": "Where it was fetched: server, study and series."},
    )


class ModelUsed(ma.Schema):
    """The model that a segmentation was resolved to."""

    id = ma.fields.String()
    alias = ma.fields.String(allow_none=True)
    architecture = ma.fields.String(metadata={"example": "unet"})
    encoder = ma.fields.String(allow_none=True, metadata={"example": "mobilenet_v2"})


class MaskSlice(ma.Schema):
    """The mask of one slice of a volume."""

    index = ma.fields.Integer(metadata={"description": "From 0."})
    counts = ma.fields.String(metadata={"description": "With `rle`."})
    data = ma.fields.String(metadata={"description": "With `png`."})


class Mask(ma.Schema):
    """The mask: COCO's compressed RLE (column-major) or a base64 PNG; of a volume, of each slice with tumour."""

    encoding = ma.fields.String(validate=OneOf(("rle", "png")))
    size = ma.fields.List(ma.fields.Integer(), metadata={"description": "[height, width]"})
    counts = ma.fields.String(metadata={"description": "With `rle`: COCO compressed RLE."})
    data = ma.fields.String(metadata={"description": "With `png`: base64 of a PNG with 0 and 255."})
    slices = ma.fields.List(
        ma.fields.Nested(MaskSlice), metadata={"description": "Of a volume, instead of counts or data."}
    )


class Region(ma.Schema):
    """One connected region of the mask; of a volume, voxels that touch by a face, an edge or a corner."""

    area_pixels = ma.fields.Integer(metadata={"description": "Of a picture, as `area_mm2`."})
    area_mm2 = ma.fields.Float(allow_none=True)
    bbox = ma.fields.List(
        ma.fields.Float(),
        metadata={"description": "[x, y, width, height]; of a volume [x, y, slice, width, height, slices]"},
    )
    centroid = ma.fields.List(
        ma.fields.Float(), metadata={"description": "[x, y]; of a volume [x, y, slice]"}
    )
    max_diameter_mm = ma.fields.Float(allow_none=True)
    voxels = ma.fields.Integer(metadata={"description": "Here and below: only of volumes."})
    volume_mm3 = ma.fields.Float(allow_none=True)
    centroid_mm = ma.fields.List(
        ma.fields.Float(),
        allow_none=True,
        metadata={"description": "Millimetres to the patient's left, back and head."},
    )
    slices = ma.fields.List(ma.fields.Integer(), metadata={"description": "[first, last]"})


class SliceArea(ma.Schema):
    """The mask of one slice, measured."""

    index = ma.fields.Integer()
    area_pixels = ma.fields.Integer()
    area_mm2 = ma.fields.Float(allow_none=True)


class ClassArea(ma.Schema):
    """One class of tumour, measured."""

    label = ma.fields.Integer(metadata={"description": "Its value in labels.png."})
    name = ma.fields.String()
    area_pixels = ma.fields.Integer()
    area_mm2 = ma.fields.Float(allow_none=True)
    volume_mm3 = ma.fields.Float(allow_none=True)


class Result(ma.Schema):
    """What was found; areas of a volume are those of all slices together."""

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
    classes = ma.fields.List(
        ma.fields.Nested(ClassArea), metadata={"description": "Where the model knows several."}
    )
    volume_mm3 = ma.fields.Float(
        allow_none=True, metadata={"description": "Here and below: only of volumes."}
    )
    volume_mm3_reason = ma.fields.String(
        allow_none=True, metadata={"description": "Why it is not known, in words."}
    )
    slices = ma.fields.List(ma.fields.Nested(SliceArea), metadata={"description": "Every slice."})
    largest_slice = ma.fields.Integer(
        allow_none=True, metadata={"description": "The one with most tumour; null where there is none."}
    )
    min_region_plane = ma.fields.String(
        validate=OneOf(MIN_REGION_PLANES),
        metadata={
            "description": "In which planes regions under `min_region_pixels` were left out: each slice, or, where the "
            "network saw axial slices of another acquisition, the plane through one row of all slices."
        },
    )
    stored = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        metadata={"description": "Where the segmentation was stored: server, series and instance."},
    )


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
