"""The body of `POST /v1/training-runs` for /openapi.json: made from the recipe itself, so that it stays true."""

import types
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from service.schemas.run_words import WORDS
from shared import catalog
from shared.recipe import (
    ABOVE,
    ENCODER_WEIGHTS,
    FLIPS,
    LIMITS,
    MAX_NAME,
    MAX_TEXT,
    MULTIPLES,
    TEXTS,
    Recipe,
)

Schema = dict[str, Any]
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_NAMES: dict[str, Iterable[str]] = {
    "dataset_format": catalog.DATASETS,
    "architecture": catalog.MODELS,
    "encoder": catalog.ENCODERS,
    "encoder_weights": ENCODER_WEIGHTS,
    "loss": catalog.LOSSES,
    "optimizer": catalog.OPTIMIZERS,
    "schedule": catalog.SCHEDULES,
    "normalization": catalog.NORMALIZATIONS,
    "split": catalog.SPLITS,
    "test_time_augmentation": FLIPS,
}
_LIMITS = {place: (low, high) for place, low, high in LIMITS}
_LENGTHS = {"name": MAX_NAME} | dict.fromkeys(TEXTS, MAX_TEXT)


def properties_of(cls: type[Any], place: str = "") -> Schema:
    """JSON Schema of the fields of a dataclass, with defaults, limits and the names that the tables have."""
    hints = get_type_hints(cls)
    return {field.name: _property(field, hints[field.name], place + field.name) for field in fields(cls)}


def _property(field: Field[Any], hint: Any, place: str) -> Schema:
    schema = _schema(hint, place)
    if place in _LIMITS:
        schema["minimum"], schema["maximum"] = _LIMITS[place]
    if place in ABOVE:
        schema["exclusiveMinimum"] = True
    if place in MULTIPLES:
        schema["multipleOf"] = MULTIPLES[place]
    if place in _LENGTHS:
        schema["maxLength"] = _LENGTHS[place]
    schema["description"] = WORDS[place]
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if default is not MISSING and not is_dataclass(default):
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


def _schema(hint: Any, place: str) -> Schema:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _schema(next(kind for kind in inner if kind is not type(None)), place) | {"nullable": True}
    if is_dataclass(hint) and isinstance(hint, type):
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": properties_of(hint, f"{place}."),
        }
    if origin is dict:
        return {"type": "object", "additionalProperties": {"type": "number"}}
    if origin is tuple and inner[-1] is Ellipsis:
        return {"type": "array", "uniqueItems": True, "items": _schema(inner[0], place)}
    if origin is tuple:
        number = {"type": "number", "minimum": 0, "maximum": 1}
        return {"type": "array", "minItems": len(inner), "maxItems": len(inner), "items": number}
    schema: Schema = {"type": _KINDS[hint]}
    return schema | ({"enum": list(_NAMES[place])} if place in _NAMES else {})


REQUIRED = ("dataset",)
PROPERTIES: Schema = {
    "recipe": {"type": "string", "description": WORDS["recipe"]},
    "dataset": {"type": "string", "description": WORDS["dataset"]},
    **properties_of(Recipe),
}
RUN_BODY: Schema = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": [*REQUIRED],
                "additionalProperties": False,
                "properties": PROPERTIES,
            },
            "example": {"recipe": "lgg-unet", "dataset": "my-study", "name": "first try", "epochs": 2},
        }
    },
}
