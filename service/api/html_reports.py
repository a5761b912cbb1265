"""How reports for people are sent: one file that brings everything along and runs nothing."""

from flask import Response, request

from service.web.security_headers import CSP_REPORT

HTML = "text/html"


def html_report(content: bytes | str, name: str) -> Response:
    """The page, to be shown or saved as NAME.html; 304 for a client that has this one."""
    reply = Response(content, content_type=f"{HTML}; charset=utf-8")
    reply.headers["Content-Security-Policy"] = CSP_REPORT
    reply.headers["Content-Disposition"] = f'inline; filename="{name}.html"'
    reply.add_etag()
    reply.make_conditional(request)
    return reply
