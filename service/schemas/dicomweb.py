"""What starts a segmentation of a series in a PACS, and the servers that there are."""

from typing import Any

import marshmallow as ma

from service.schemas.common import Strict
from service.schemas.fields import ModelName, Number
from shared.contract.dicomweb import NAME
from shared.contract.dicomweb_server import UID
from shared.contract.names import DEFAULT_ALIAS


class Uid(ma.fields.String):
    """A DICOM UID."""

    def __init__(self, **kwargs: Any) -> None:
        pattern = {"pattern": r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$", "maxLength": 64}
        kwargs["metadata"] = pattern | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not UID.fullmatch(value):
            raise ma.ValidationError(
                "Must be a DICOM UID: numbers without leading zeros, separated by dots, at most 64 characters."
            )
        return value


class ServerName(ma.fields.String):
    """The name of a server in the settings."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise ma.ValidationError("Must be the name of a server, as GET /v1/dicomweb/servers lists them.")
        return value


class YesOrNo(ma.fields.Boolean):
    """JSON's true or false, and nothing like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ma.ValidationError("Must be true or false.")
        return value


class DicomwebJob(Strict):
    """The body of `POST /v1/dicomweb/jobs`."""

    error_messages = {"unknown": "Not a field of this body."}

    server = ServerName(
        required=True,
        metadata={"description": "Name of a configured server.", "example": "pacs"},
    )
    study = Uid(required=True, metadata={"description": "Study Instance UID."})
    series = Uid(required=True, metadata={"description": "Series Instance UID, of MR images."})
    store = YesOrNo(
        load_default=True,
        metadata={"description": "Store the segmentation (DICOM SEG) on the same server, in the same study."},
    )
    model = ModelName(
        load_default=DEFAULT_ALIAS,
        metadata={"description": "Model id or alias; an alias is resolved when the job is accepted."},
    )
    threshold = Number(
        above=0.0,
        most=1.0,
        load_default=None,
        allow_none=True,
        metadata={"description": "Probability from which on a voxel is tumour. Default: the model's own."},
    )


JOB_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": DicomwebJob,
            "example": {"server": "pacs", "study": "1.2.840.99999.1", "series": "1.2.840.99999.1.2"},
        }
    },
}


class DicomwebServer(ma.Schema):
    """A server that jobs may name."""

    name = ma.fields.String(required=True)


class DicomwebServerPage(ma.Schema):
    """All of them."""

    items = ma.fields.List(ma.fields.Nested(DicomwebServer), required=True)
    next = ma.fields.String(required=True, allow_none=True, metadata={"description": "Always null."})
