"""The form of `POST /v1/segmentations` and an answer, as /openapi.json shows them."""

from typing import Any

from service.intake.upload_kinds import MAX_FILES, OF_MODALITIES
from service.schemas.fields import MAX_SPACING_MM, MIN_SPACING_MM
from service.schemas.segmentations import MASK_FORMATS, MAX_WAIT_S

_FILES: dict[str, Any] = {
    "type": "array",
    "maxItems": MAX_FILES,
    "items": {"type": "string", "format": "binary"},
}
SEGMENTATION_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "image": {
                        **_FILES,
                        "description": "A slice as PNG, JPEG or TIFF (8 or 16 bit, grey or RGB); or a volume: every "
                        "file of a DICOM series, a zip of them, a NIfTI file or a multi-page TIFF. Told by content, "
                        "not by name.",
                    },
                    **{
                        field: {
                            **_FILES,
                            "description": f"Instead of `image`, for models of several sequences: the {name} volume.",
                        }
                        for field, name in OF_MODALITIES.items()
                    },
                    "model": {
                        "type": "string",
                        "default": "default",
                        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
                        "description": "Model id or alias; an alias is resolved when the job is accepted.",
                    },
                    "threshold": {
                        "type": "number",
                        "minimum": 0,
                        "exclusiveMinimum": True,
                        "maximum": 1,
                        "description": "Probability from which on a pixel is tumour. Default: the model's own.",
                    },
                    "pixel_spacing_mm": {
                        "type": "string",
                        "example": "0.5,0.7",
                        "description": f"`0.5` or `0.5,0.7` (row, column), {MIN_SPACING_MM:g} to "
                        f"{MAX_SPACING_MM:g} mm; overrides what the file says.",
                    },
                    "slice_spacing_mm": {
                        "type": "number",
                        "minimum": MIN_SPACING_MM,
                        "maximum": MAX_SPACING_MM,
                        "description": "Of volumes: from one slice to the next, in millimetres; overrides the file's.",
                    },
                    "sequence_order": {
                        "type": "string",
                        "example": "flair,t1,t1ce,t2",
                        "description": "Of one NIfTI file with several sequences along its fourth axis: what they are, "
                        f"in its order, each one of {', '.join(OF_MODALITIES.values())}. Without it such a file is "
                        "refused: nothing in it says which is which.",
                    },
                    "mask_format": {
                        "type": "string",
                        "enum": list(MASK_FORMATS),
                        "default": "rle",
                        "description": "How the answer holds the mask.",
                    },
                    "wait": {
                        "type": "number",
                        "minimum": 0,
                        "maximum": MAX_WAIT_S,
                        "default": 10,
                        "description": "Seconds to wait for the end before the answer is 202.",
                    },
                },
            },
        }
    },
}

IDEMPOTENCY_HEADER: dict[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key with the same fields and file gives the same resource again (200), for 24 hours; "
    "with other content 422; while the first request is at work 409.",
}

_AT = "/v1/segmentations/0f8fad5bd9cb469fa16570867728950e"

SEGMENTATION: dict[str, Any] = {
    "id": "0f8fad5bd9cb469fa16570867728950e",
    "status": "succeeded",
    "progress": 1.0,
    "created_at": "2026-01-31T12:00:00.000000Z",
    "finished_at": "2026-01-31T12:00:00.021000Z",
    "expires_at": "2026-02-01T12:00:00.000000Z",
    "error": None,
    "image": {
        "format": "TIFF",
        "width": 256,
        "height": 256,
        "channels": 3,
        "bit_depth": 8,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "pixel_spacing_mm": [0.5, 0.5],
        "pixel_spacing_source": "request",
    },
    "model": {"id": "lgg-unet", "alias": "default", "architecture": "unet", "encoder": "mobilenet_v2"},
    "result": {
        "tumor_detected": True,
        "confidence": 0.97,
        "threshold": 0.5,
        "min_region_pixels": 12,
        "area_pixels": 1234,
        "coverage_percent": 1.88,
        "brain_coverage_percent": None,
        "area_mm2": 308.5,
        "area_mm2_reason": None,
        "mask": {"encoding": "rle", "size": [256, 256], "counts": "PPb0…"},
        "regions": [
            {
                "area_pixels": 1234,
                "area_mm2": 308.5,
                "bbox": [10, 20, 40, 30],
                "centroid": [28.4, 33.0],
                "max_diameter_mm": 24.1,
            }
        ],
    },
    "warnings": [],
    "timings_ms": {"decode": 1.1, "queue": 2.0, "forward": 9.8, "postprocess": 0.7, "total": 16.0},
    "links": {
        "self": _AT,
        "image": f"{_AT}/image.png",
        "mask": f"{_AT}/mask.png",
        "overlay": f"{_AT}/overlay.png",
        "thumbnail": f"{_AT}/thumbnail.webp",
        "probability": f"{_AT}/probability.png",
        "contours": f"{_AT}/contours.geojson",
    },
}
