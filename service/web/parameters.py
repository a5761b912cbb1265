"""Query strings and JSON bodies by schema, with the same errors as forms."""

from collections.abc import Iterable
from typing import Any

import marshmallow as ma
from flask import request
from werkzeug.exceptions import HTTPException

from shared.contract.errors import BadRequest, InvalidFields

MAX_JSON_BYTES = 64 * 1024  # forms and files have limits of their own
MAX_JSON_DEPTH = 16
_TOO_DEEP = "The JSON is nested too deeply."


def query(schema: type[ma.Schema]) -> dict[str, Any]:
    """The query string's values; raises InvalidFields with all that is wrong."""
    return _load(schema, request.args.to_dict())


def body(schema: type[ma.Schema]) -> dict[str, Any]:
    """The JSON body's values; raises BadRequest if it is no JSON object, InvalidFields with all that is wrong."""
    return _load(schema, json_object())


def json_object() -> dict[str, Any]:
    """The JSON body, unchecked; raises BadRequest if it is no JSON object, 413 if it is too large."""
    request.max_content_length = MAX_JSON_BYTES
    try:
        data = request.get_json()
    except HTTPException as error:
        if error.code == 413:
            raise
        raise BadRequest("Send a JSON object, with Content-Type: application/json.") from None
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    if not isinstance(data, dict):
        raise BadRequest("The body must be a JSON object.")
    level: list[Any] = [data]
    for _ in range(MAX_JSON_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise BadRequest(_TOO_DEEP)
    return data


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _load(schema: type[ma.Schema], data: dict[str, Any]) -> dict[str, Any]:
    try:
        values: dict[str, Any] = schema().load(data)
        return values
    except ma.ValidationError as error:
        problems = {str(name)[:60]: messages for name, messages in error.normalized_messages().items()}
        raise InvalidFields("Some parameters are wrong; `errors` names each.", errors=problems) from None
