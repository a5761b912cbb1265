"""Query strings and JSON bodies by schema, with the same errors as forms."""

from typing import Any

import marshmallow as ma
from flask import request
from werkzeug.exceptions import HTTPException

from shared.contract.errors import BadRequest, InvalidFields


def query(schema: type[ma.Schema]) -> dict[str, Any]:
    """The query string's values; raises InvalidFields with all that is wrong."""
    return _load(schema, request.args.to_dict())


def body(schema: type[ma.Schema]) -> dict[str, Any]:
    """The JSON body's values; raises BadRequest if it is no JSON object, InvalidFields with all that is wrong."""
    try:
        data = request.get_json()
    except HTTPException as error:
        if error.code == 413:
            raise
        raise BadRequest("Send a JSON object, with Content-Type: application/json.") from None
    if not isinstance(data, dict):
        raise BadRequest("The body must be a JSON object.")
    return _load(schema, data)


def _load(schema: type[ma.Schema], data: dict[str, Any]) -> dict[str, Any]:
    try:
        values: dict[str, Any] = schema().load(data)
        return values
    except ma.ValidationError as error:
        problems = {str(name)[:60]: messages for name, messages in error.normalized_messages().items()}
        raise InvalidFields("Some parameters are wrong; `errors` names each.", errors=problems) from None
