"""Answers that gunicorn gives itself, to requests that it cannot parse, in the shape of all others."""

import http
import json
import secrets
import socket

from service.web.problems import HTTP_CODES, PROBLEM_JSON


def write_problem(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Stands in for gunicorn.util.write_error: a problem document, not HTML that repeats what the client sent."""
    if status == 501:  # a Transfer-Encoding that nobody knows is the client's mistake, never a 5xx
        status = 400
    phrase = http.HTTPStatus(status).phrase
    code = HTTP_CODES.get(status, "http_error")
    request_id = secrets.token_hex(16)
    document = {
        "type": f"/problems#{code}",
        "title": phrase,
        "status": status,
        "detail": "The request is not HTTP as this server reads it."
        if status < 500
        else "Something went wrong.",
        "code": code,
        "request_id": request_id,
    }
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: {PROBLEM_JSON}\r\n"
        f"X-Content-Type-Options: nosniff\r\nX-Request-ID: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    blocking = sock.getblocking()
    sock.setblocking(False)  # a client that does not read may not hold the thread
    try:
        sock.send(head.encode("latin-1") + body)
    except OSError:
        return
    finally:
        sock.setblocking(blocking)
