"""The task `inference.segment_volume`."""

from typing import Any

import structlog

from shared.contract.messages import SegmentVolumeMessage


def segment_volume(task: Any, **fields: str) -> None:
    """Hand the volume to this process's inference worker, which ends its job in the database."""
    message = SegmentVolumeMessage.from_json(fields)
    structlog.contextvars.bind_contextvars(request_id=message.request_id, job_id=message.job_id)
    task.app.runtime.submit_volume(message)
