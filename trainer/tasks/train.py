"""The task `training.run`."""

from typing import Any

import structlog

from shared.contract.messages import TrainMessage


def train(task: Any, **fields: str) -> None:
    """Only a hint: the worker looks into the database for what is due, and now rather than within a second."""
    message = TrainMessage.from_json(fields)
    structlog.contextvars.bind_contextvars(request_id=message.request_id, run_id=message.job_id)
    task.app.runtime.wake()
