"""Models, their aliases, and whether the service is ready."""

from typing import Any

import marshmallow as ma

from service.schemas.common import Strict
from service.schemas.fields import ModelName


class Model(ma.Schema):
    """A model's card as its trainer wrote it; `aliases` are the names that point to it now."""

    class Meta:
        unknown = ma.INCLUDE

    id = ma.fields.String(required=True)
    name = ma.fields.String()
    version = ma.fields.String()
    description = ma.fields.String()
    architecture = ma.fields.String()
    encoder = ma.fields.String(allow_none=True)
    preprocessing = ma.fields.Dict()
    labels = ma.fields.List(ma.fields.Dict())
    threshold = ma.fields.Float()
    metrics = ma.fields.Dict()
    provenance = ma.fields.Raw()
    licence = ma.fields.Raw()
    intended_use = ma.fields.Raw()
    weights = ma.fields.Dict(metadata={"description": "File, SHA-256, size."})
    aliases = ma.fields.List(ma.fields.String())
    links = ma.fields.Dict()


class ModelPage(ma.Schema):
    """Models, newest first."""

    items = ma.fields.List(ma.fields.Nested(Model), required=True)
    next = ma.fields.String(required=True, allow_none=True)


MODEL_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "A zip file with card.json and weights.safetensors; README.md, curves.png, "
                        "history.json and learned.json as well, if you like, and nothing else.",
                    }
                },
            }
        }
    },
}


class AliasChange(Strict):
    """Body of `PUT /v1/models/aliases/{alias}`."""

    error_messages = {"unknown": "Not a field of this body."}

    model = ModelName(required=True, metadata={"description": "Id of the model."})


class Alias(ma.Schema):
    """A name that points to a model."""

    alias = ma.fields.String(required=True, metadata={"example": "default"})
    model = ma.fields.String(required=True, metadata={"description": "Where it points."})
    serving = ma.fields.String(
        required=True, metadata={"description": "What answers: the model before until `model` is warm."}
    )
    previous = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Where it pointed before the last change: what to roll back to. Null where there was none, "
            "or it was deleted since."
        },
    )
    ready = ma.fields.Boolean(
        required=True, metadata={"description": "Whether `model` and `serving` are the same."}
    )


class AliasPage(ma.Schema):
    """All aliases, in the shape of every list."""

    items = ma.fields.List(ma.fields.Nested(Alias), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class Check(ma.Schema):
    """One thing that the service needs."""

    ok = ma.fields.Boolean(required=True)
    detail = ma.fields.String(required=True, allow_none=True)


class Ready(ma.Schema):
    """Whether everything that a segmentation needs is there."""

    status = ma.fields.String(required=True, metadata={"example": "ready"})
    checks = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(Check), required=True)


class Live(ma.Schema):
    """The process answers."""

    status = ma.fields.String(required=True, metadata={"example": "live"})
