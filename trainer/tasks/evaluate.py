"""The task `training.evaluate`."""

from typing import Any

import structlog

from shared.contract.messages import EvaluateMessage


def evaluate(task: Any, **fields: str) -> None:
    """Only a hint: the worker looks into the database for what is due, and now rather than within a second."""
    message = EvaluateMessage.from_json(fields)
    structlog.contextvars.bind_contextvars(request_id=message.request_id, evaluation_id=message.job_id)
    task.app.runtime.wake()
