"""JSON log lines on standard output: one a request, with its id, never with a file name or anything of a patient."""

import logging
import sys
import time
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from flask import Flask, Response, g, request

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
_access = structlog.get_logger("service.access")


class Lenient:
    """A stream that drops what cannot be written (its reader is gone, the disk is full): no answer fails for a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(level: str) -> None:
    """Send structlog's and the standard library's lines through one JSON writer."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, Lenient(sys.stdout))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    for noisy in ("kombu", "celery", "alembic", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def register(app: Flask) -> None:
    """One line for every request; the route is the rule, so no id of a job and no query stands in it."""
    app.after_request(_line)


def _line(answer: Response) -> Response:
    _access.info(
        "request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=answer.status_code,
        ms=round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 2),
        owner=principal.owner if (principal := g.get("principal")) else None,
    )
    return answer
