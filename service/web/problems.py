"""One JSON shape for every error (RFC 9457), and the only place where error codes meet HTTP statuses."""

import http
import json
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, has_request_context, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError

from shared.contract import errors

PROBLEM_JSON = "application/problem+json"

STATUS: dict[type[errors.ServiceError], int] = {
    errors.BadRequest: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.PayloadTooLarge: 413,
    errors.TooManyPixels: 413,
    errors.UnsupportedFormat: 415,
    errors.UnsafeFile: 415,
    errors.ImageError: 422,
    errors.InvalidFields: 422,
    errors.UnknownModel: 422,
    errors.DatasetError: 422,
    errors.TooManyRequests: 429,
    errors.TryAgain: 503,
}

HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    417: "expectation_failed",
    421: "misdirected_request",
    431: "headers_too_large",
    500: "internal_error",
}

_log = structlog.get_logger(__name__)


def status_of(error: type[errors.ServiceError]) -> int:
    """The HTTP status of an error class: its own, or that of the nearest class above it; 500 if none says."""
    return next((STATUS[cls] for cls in error.__mro__ if cls in STATUS), 500)


def problem_document(
    status: int, code: str, detail: str, *, title: str | None = None, **more: Any
) -> dict[str, Any]:
    """The members of a problem document; `more` adds extension members, None leaves one out."""
    document = {
        "type": f"/problems#{code}",
        "title": title or http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id") if has_request_context() else None,
    }
    return document | {name: value for name, value in more.items() if value is not None}


def problem(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem document as an answer; 401 says how to sign in."""
    status = document["status"]
    # Half a surrogate pair in a name of the client's making is no UTF-8; as an escape it is JSON.
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    answer = Response(body, status=status, content_type=PROBLEM_JSON)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="segmentation"'
    for name, value in (headers or {}).items():
        answer.headers[name] = value
    return answer


def register(app: Flask) -> None:
    """Every error of the application, of Flask and of werkzeug leaves through these four."""
    for gone in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(gone, _database_gone)
    app.register_error_handler(errors.ServiceError, _service_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _service_error(error: errors.ServiceError) -> Response:
    status = status_of(type(error))
    if status == 500:
        return _unexpected(error)
    headers = {}
    if isinstance(error, errors.TryAgain):
        headers["Retry-After"] = str(error.retry_after_s)
    return _answer(
        problem_document(status, error.code, error.detail, title=error.title, errors=error.errors), headers
    )


def _database_gone(error: Exception) -> Response:
    _log.error("database_unavailable", kind=type(error).__name__)
    return _service_error(errors.StorageUnavailable())


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        return _unexpected(error.original_exception)  # it broke after the view, where Flask asks nobody else
    status = error.code or 500
    if status < 400:  # a redirect that werkzeug raises
        return Response(status=status, headers=error.get_headers())
    detail = _too_large() if status == 413 else error.description or error.name
    document = problem_document(status, HTTP_CODES.get(status, "http_error"), detail, title=error.name)
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return _answer(document, kept)


def _too_large() -> str:
    most = request.max_content_length or 0
    if request.content_length is not None and request.content_length > most:
        return f"The request has {request.content_length} bytes; at most {most} are taken."
    return f"At most {most} bytes, {request.max_form_parts} parts and short text fields are taken."


def _unexpected(error: Exception) -> Response:
    """500 that tells the client nothing of the inside; the log has the stack under the same request id."""
    _log.error("unexpected_error", kind=type(error).__name__, exc_info=error)
    detail = "Something went wrong on our side. The log of the service has it under this request_id."
    return _answer(problem_document(500, "internal_error", detail))


def _answer(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    answer = problem(document, headers)
    if wants_page():
        answer.set_data(render_template("error.html", problem=document))
        answer.content_type = "text/html; charset=utf-8"
    return answer


def wants_page() -> bool:
    """True for a person at a page: a browser's Accept, outside the API."""
    if request.path.startswith(("/v1/", "/health/")) or request.path in ("/openapi.json", "/metrics"):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
