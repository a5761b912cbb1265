"""Shapes that every resource shares; they describe answers in the OpenAPI document and check query strings."""

import marshmallow as ma
from marshmallow.validate import Length, Range

MAX_LIMIT = 100


class Problem(ma.Schema):
    """An error as RFC 9457 (problem details) has it."""

    type = ma.fields.String(required=True, metadata={"example": "/problems#invalid_fields"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True, metadata={"example": 422})
    detail = ma.fields.String(required=True, metadata={"description": "One sentence for a person."})
    code = ma.fields.String(required=True, metadata={"description": "Stable; for programs."})
    request_id = ma.fields.String(required=True, metadata={"description": "Also in the logs."})
    errors = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={"description": "What is wrong, by field, all at once."},
    )
    checks = ma.fields.Dict(metadata={"description": "Only from /health/ready: what is up and what is not."})


class Strict(ma.Schema):
    """A query string or body in which unknown names are mistakes, not silence."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {"unknown": "Not a parameter of this route."}


class ListQuery(Strict):
    """`?limit=&cursor=`: how many at once, and from where on."""

    limit = ma.fields.Integer(
        load_default=20,
        validate=Range(1, MAX_LIMIT),
        metadata={"description": "How many items at most."},
    )
    cursor = ma.fields.String(
        load_default=None,
        validate=Length(1, 300),
        metadata={"description": "`next` of the page before; without it the newest items."},
    )
