"""Names that the API and the workers must spell alike: queues, tasks, statuses, scopes, Redis keys."""

from enum import StrEnum


class Queue(StrEnum):
    """Celery queues, by which the API reaches a kind of worker."""

    INFERENCE = "inference"
    TRAINING = "training"


class Task(StrEnum):
    """Celery tasks; `send_task` checks no names, so a test holds these equal to what workers register."""

    SEGMENT = "inference.segment"
    SEGMENT_VOLUME = "inference.segment_volume"
    VALIDATE_DATASET = "training.validate_dataset"
    TRAIN = "training.run"
    EVALUATE = "training.evaluate"


class Scope(StrEnum):
    """What an API key may do; `admin` may do everything."""

    INFER = "infer"
    TRAIN = "train"
    ADMIN = "admin"


class SegmentationKind(StrEnum):
    """What a segmentation was made from: decoded by the API, or stored raw, or to be fetched from a PACS."""

    PICTURE = "picture"
    VOLUME = "volume"
    DICOMWEB = "dicomweb"


class SegmentationStatus(StrEnum):
    """States of a segmentation, as clients see them."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({SegmentationStatus.SUCCEEDED, SegmentationStatus.FAILED, SegmentationStatus.CANCELLED})


class DatasetStatus(StrEnum):
    """States of a dataset, as clients see them."""

    VALIDATING = "validating"
    READY = "ready"
    FAILED = "failed"


class RunStatus(StrEnum):
    """States of a training run, as clients see them. `cancelling` lasts until the process is gone."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


RUN_ENDED = frozenset({RunStatus.CANCELLED, RunStatus.SUCCEEDED, RunStatus.FAILED})


class EvaluationStatus(StrEnum):
    """States of an evaluation, as clients see them."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Stage(StrEnum):
    """What a running training run is doing, in the order in which it does it."""

    LOADING = "loading"
    TRAINING = "training"
    VALIDATING = "validating"
    SAVING = "saving"


class EventKind(StrEnum):
    """Kinds of events of a run that are kept and can be replayed."""

    STATUS = "status"
    EPOCH = "epoch"


# Version of what travels through Redis (messages, pixels, answers); raised when old workers could not read it.
PROTOCOL_VERSION = 1
# Header of the HTTP answer, and the Celery message header with the same content.
REQUEST_ID_HEADER = "X-Request-ID"
REQUEST_ID_MESSAGE_HEADER = "request_id"
# Pixels in Redis are a cache in front of the file store: kept long enough for a queue, and no longer.
PIXELS_TTL_S = 600
PIXELS_MAX_BYTES = 4 * 1024 * 1024
# An answer that nobody waits for any more goes away by itself.
DONE_TTL_S = 60
DEFAULT_ALIAS = "default"
# The shipped model that this alias points to at first; demonstrations are shipped as well.
DEFAULT_MODEL = "lgg-unet"


def pixels_key(job_id: str) -> str:
    """Redis key of a job's pixels (bytes of a .npy file)."""
    return f"pixels:{job_id}"


def done_key(job_id: str) -> str:
    """Redis list on which the worker pushes a job's end and the API waits with BLPOP."""
    return f"done:{job_id}"
