"""The task `inference.segment`."""

from typing import Any

import structlog

from shared.contract.messages import SegmentMessage


def segment(task: Any, **fields: str) -> None:
    """Hand the job to this process's inference worker, which ends it in the database."""
    message = SegmentMessage.from_json(fields)
    structlog.contextvars.bind_contextvars(request_id=message.request_id, job_id=message.job_id)
    task.app.runtime.submit(message)
