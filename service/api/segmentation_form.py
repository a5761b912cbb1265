"""The form of `POST /v1/segmentations` and of the upload page, as a request for a slice or for a volume."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import g, request

from service.container import services
from service.intake.slices import SliceRequest
from service.intake.upload_kinds import (
    FILE_FIELDS,
    IMAGE,
    MAX_FILES,
    Limits,
    Sent,
    refuse_large_pictures,
    sort_files,
)
from service.intake.volumes import VolumeRequest
from service.schemas.segmentations import SegmentationFields
from service.web.multipart import MAX_FIELD_BYTES, MAX_PARTS, Form, read_form, receive
from shared.contract.errors import ImageError, InvalidFields, PayloadTooLarge, UnknownModel

_FIELDS = SegmentationFields()
_NAMES = tuple(_FIELDS.fields)


@dataclass(frozen=True)
class SegmentationForm:
    """A valid form: for a slice or for a volume, how long to wait, and in what shape the answer has the mask."""

    mask_format: str
    wait: float
    picture: SliceRequest | None = None
    volume: VolumeRequest | None = None


@contextmanager
def read_segmentation_form(
    owner: str, *, also: tuple[str, ...] = (), drop_empty: bool = False
) -> Iterator[SegmentationForm]:
    """The current request's form; its files are there within the `with`.

    Raises BadRequest, PayloadTooLarge, ImageError, and InvalidFields with all problems at once. Pages send `also`
    fields of their own, and leave a field empty that the user did not fill in.
    """
    settings = services().settings
    limits = Limits(settings.max_upload_bytes, settings.max_volume_bytes)
    most = max(settings.max_upload_bytes, settings.max_volume_bytes)
    if (request.content_length or 0) > settings.max_upload_bytes + MAX_FIELD_BYTES:
        services().intake.volumes.require_room()
    with services().intake.uploads.receiving(in_memory=True, watch=refuse_large_pictures(limits)) as reception:
        receive(request, reception, most, MAX_FILES + MAX_PARTS)
        form = read_form(request, fields=(*_NAMES, *also), files=FILE_FIELDS, several=True)
        sent, unusable = _sorted(form, limits)
        values = _values(form, drop_empty)
        if sent is not None and sent.picture is not None and values.get("slice_spacing_mm") is not None:
            form.problems["slice_spacing_mm"] = ["A single picture has no slices; leave it out."]
        if sent is not None and IMAGE not in sent.files and values.get("sequence_order") is not None:
            form.problems["sequence_order"] = ["Belongs to one NIfTI file in `image`; leave it out."]
        form.refuse_problems()
        if unusable is not None:
            raise unusable
        assert sent is not None
        yield _form(sent, values, owner)


def _sorted(form: Form, limits: Limits) -> tuple[Sent | None, Exception | None]:
    """What was sent, or why it cannot be used, which is said where nothing else is wrong."""
    try:
        return sort_files(form.files, limits), None
    except InvalidFields as error:
        for name, messages in (error.errors or {}).items():
            form.problems.setdefault(name, []).extend(messages)
        return None, None
    except (ImageError, PayloadTooLarge) as error:
        return None, error


def _values(form: Form, drop_empty: bool) -> dict[str, Any]:
    """The text fields; what is wrong with them goes to the form's problems."""
    problems = form.problems
    given = {name: text for name, text in form.fields.items() if name in _NAMES and (text or not drop_empty)}
    values: dict[str, Any] = {}
    try:
        values = _FIELDS.load(given)
    except ma.ValidationError as error:
        for name, messages in error.normalized_messages().items():
            problems.setdefault(name, []).extend(messages)
    _check_model(values.get("model", given.get("model")), problems)
    return values


def _check_model(name: Any, problems: dict[str, list[str]]) -> None:
    """An unknown model is one more problem of the form where it is not the only one."""
    if not problems or "model" in problems or not isinstance(name, str):
        return
    try:
        services().intake.catalogue.resolve(name)
    except UnknownModel as error:
        problems.update(error.errors or {})


def _form(sent: Sent, values: dict[str, Any], owner: str) -> SegmentationForm:
    common = {
        "owner": owner,
        "request_id": g.request_id,
        **{name: values[name] for name in ("model", "threshold", "pixel_spacing_mm")},
        "idempotency_key": request.headers.get("Idempotency-Key"),
    }
    if sent.picture is not None:
        picture = SliceRequest(image=sent.picture, **common)
        return SegmentationForm(values["mask_format"], values["wait"], picture=picture)
    of_volumes = {name: values[name] for name in ("slice_spacing_mm", "sequence_order")}
    volume = VolumeRequest(sent=sent, **of_volumes, **common)
    return SegmentationForm(values["mask_format"], values["wait"], volume=volume)
