"""The description of each route for /openapi.json, written beside the route by one decorator."""

import http
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import marshmallow as ma

from service.schemas.common import Problem

View = TypeVar("View", bound=Callable[..., Any])

PROBLEM_JSON = "application/problem+json"
PNG = "image/png"
_REQUEST_ID = {
    "description": "Of this request; the one you sent, if it was valid. It stands in the logs, the worker's too.",
    "schema": {"type": "string", "maxLength": 64},
}
_LOCATION = {"description": "Address of the resource.", "schema": {"type": "string"}}
_RETRY = {"description": "Seconds after which asking again makes sense.", "schema": {"type": "integer"}}
_EXAMPLE = {
    "type": "/problems#invalid_fields",
    "title": "Some fields are not valid",
    "status": 422,
    "detail": "Some fields are wrong; `errors` names each.",
    "code": "invalid_fields",
    "request_id": "3f0c9a5e8f1d4b7c9a2e6d5b4c3a2f10",
    "errors": {"threshold": ["Must be greater than 0 and at most 1."]},
}


def operation(
    answers: Mapping[int, Mapping[str, Any]],
    *,
    problems: Sequence[int] = (),
    query: type[ma.Schema] | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Sequence[Mapping[str, Any]] = (),
    open_to_all: bool = False,
) -> Callable[[View], View]:
    """Describe a view; its docstring is summary and description. The blueprint's route decorator reads it."""
    responses: dict[str, Any] = {str(status): answer for status, answer in answers.items()}
    responses |= {str(status): _problem(status) for status in problems}
    responses["default"] = _problem(None)
    parameters: list[Any] = [dict(header) for header in headers]
    if query is not None:
        parameters.append({"in": "query", "schema": query})
    described: dict[str, Any] = {"responses": responses, "parameters": parameters}
    if body is not None:
        described["requestBody"] = body
    if open_to_all:
        described["security"] = []

    def attach(view: View) -> View:
        view._apidoc = {"manual_doc": described | {"operationId": view.__name__}}  # type: ignore[attr-defined]
        return view

    return attach


def answer(
    schema: type[ma.Schema] | Mapping[str, Any],
    description: str,
    *,
    content: str = "application/json",
    location: bool = False,
    retry: bool = False,
    example: Any = None,
) -> dict[str, Any]:
    """One documented answer with a body."""
    headers: dict[str, Any] = {"X-Request-ID": _REQUEST_ID}
    if location:
        headers["Location"] = _LOCATION
    if retry:
        headers["Retry-After"] = _RETRY
    media: dict[str, Any] = {"schema": schema}
    if example is not None:
        media["example"] = example
    return {"description": description, "headers": headers, "content": {content: media}}


def leads_to(answered: dict[str, Any], *operations: str, by: str = "job_id") -> dict[str, Any]:
    """The answer with OpenAPI links: its `id` is the parameter `by` of these operations."""
    links = {name: {"operationId": name, "parameters": {by: "$response.body#/id"}} for name in operations}
    return answered | {"links": links}


def header(kind: str, description: str) -> dict[str, Any]:
    """A header of an answer."""
    return {"description": description, "schema": {"type": kind}}


def picture(description: str, content: str = PNG, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An answer that is a file."""
    schema = {"type": "object"} if content.endswith("json") else {"type": "string", "format": "binary"}
    answered = answer(schema, description, content=content)
    answered["headers"] |= {"ETag": {"schema": {"type": "string"}}, **(headers or {})}
    return answered


def _problem(status: int | None) -> dict[str, Any]:
    description = "Any other problem." if status is None else http.HTTPStatus(status).phrase
    return answer(
        Problem,
        description,
        content=PROBLEM_JSON,
        retry=status in (409, 429, 503),
        example=_EXAMPLE if status == 422 else None,
    )
