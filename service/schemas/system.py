"""The state of the service."""

import marshmallow as ma
from marshmallow.validate import OneOf

from shared.contract.names import Queue, Scope
from shared.jobs.last_failures import MOST, Kind
from shared.jobs.throughput import SAMPLE, STEPS


def _counts(description: str) -> ma.fields.Dict:
    return ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(),
        required=True,
        metadata={"description": description},
    )


class Waiting(ma.Schema):
    """How much waits in a queue of messages."""

    waiting = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Messages; null while Redis does not answer."},
    )


class Worker(ma.Schema):
    """A worker that was seen within the last minute."""

    id = ma.fields.String(required=True)
    queue = ma.fields.String(required=True, validate=OneOf([queue.value for queue in Queue]))
    device = ma.fields.String(required=True, metadata={"description": "What it computes on."})
    engine = ma.fields.String(required=True, metadata={"example": "openvino"})
    models = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "Ids of those that it keeps warm."}
    )
    encoder_weights = ma.fields.List(
        ma.fields.String(),
        required=True,
        allow_none=True,
        metadata={
            "description": "Encoders whose ImageNet weights a training worker can have; `*` for all; null where it "
            "does not say."
        },
    )
    version = ma.fields.String(required=True)
    started_at = ma.fields.AwareDateTime(required=True)
    seen_at = ma.fields.AwareDateTime(required=True)


class Throughput(ma.Schema):
    """Segmentations that ended lately, everybody's; those that were deleted since count too."""

    window_s = ma.fields.Float(required=True, metadata={"description": "Of `finished` and `failed`."})
    finished = ma.fields.Integer(required=True, metadata={"description": "Ended with a result."})
    failed = ma.fields.Integer(required=True)
    rate_window_s = ma.fields.Float(required=True, metadata={"description": "Of `per_minute`."})
    per_minute = ma.fields.Float(required=True, metadata={"description": "Ended with a result."})
    mean_ms = ma.fields.Dict(
        keys=ma.fields.String(validate=OneOf(STEPS)),
        values=ma.fields.Float(),
        required=True,
        allow_none=True,
        metadata={
            "description": f"Milliseconds of {', '.join(STEPS)}: the mean of the newest {SAMPLE} pictures of the "
            "window at most; null where there is none. Volumes, which take far longer, are left out."
        },
    )


class Failure(ma.Schema):
    """A job that failed of late, with the code that its client was told."""

    at = ma.fields.AwareDateTime(required=True)
    kind = ma.fields.String(required=True, validate=OneOf([kind.value for kind in Kind]))
    id = ma.fields.String(required=True)
    code = ma.fields.String(required=True)
    message = ma.fields.String(required=True)
    request_id = ma.fields.String(required=True, metadata={"description": "Also in the logs."})


class AskingKey(ma.Schema):
    """The key that asks; where none is asked for, `local` with every scope."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    scopes = ma.fields.List(
        ma.fields.String(validate=OneOf([scope.value for scope in Scope])),
        required=True,
        metadata={"description": "What it may do: with `admin` everything."},
    )


class System(ma.Schema):
    """Queues, workers, devices, throughput, errors, limits, version."""

    version = ma.fields.String(required=True)
    key = ma.fields.Nested(AskingKey, required=True)
    queues = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Nested(Waiting), required=True)
    workers = ma.fields.List(ma.fields.Nested(Worker), required=True)
    jobs = _counts("Segmentations kept, by status.")
    training_runs = _counts("By status.")
    datasets = _counts("By status.")
    evaluations = _counts("By status.")
    throughput = ma.fields.Nested(Throughput, required=True)
    errors = ma.fields.List(
        ma.fields.Nested(Failure),
        required=True,
        metadata={
            "description": f"The last {MOST} failures, newest first: one's own, with the scope `admin` everybody's."
        },
    )
    limits = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Float(),
        required=True,
        metadata={"description": "What to know before sending something."},
    )
