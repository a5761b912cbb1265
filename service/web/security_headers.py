"""What every answer carries: a request id and the security headers."""

import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

CSP_API = "default-src 'none'; frame-ancestors 'none'"
CSP_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A document of our making that is read by itself, on the screen or saved: nothing runs, nothing is loaded.
CSP_REPORT = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_DEVICES = "camera=(), microphone=(), geolocation=()"
CAMERA_HERE = "camera=(self), microphone=(), geolocation=()"


def register(app: Flask) -> None:
    """Give every request an id before anything else and every answer its headers after everything else."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(answer: Response) -> Response:
    headers = answer.headers
    for name, value in ALWAYS.items():
        headers[name] = value
    headers.setdefault("Permissions-Policy", NO_DEVICES)
    headers["X-Request-ID"] = g.get("request_id") or secrets.token_hex(16)
    page = answer.mimetype == "text/html"
    headers.setdefault("Content-Security-Policy", CSP_PAGE if page else CSP_API)  # a report brings its own
    if "Cache-Control" not in headers:
        # answers hold a patient's results: no shared cache and no disk of a shared computer keeps them
        headers["Cache-Control"] = "private, no-store"
    return answer
