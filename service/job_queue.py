"""The queue as the API sees it: the only file that answers requests and knows Celery and Redis."""

import json
import logging
from typing import Any, Protocol

import celery
import kombu.exceptions
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.contract.errors import QueueUnavailable
from shared.contract.messages import (
    EvaluateMessage,
    Message,
    SegmentMessage,
    SegmentVolumeMessage,
    TrainMessage,
    ValidateDatasetMessage,
)
from shared.contract.names import (
    PIXELS_MAX_BYTES,
    PIXELS_TTL_S,
    REQUEST_ID_MESSAGE_HEADER,
    Queue,
    Task,
    done_key,
    pixels_key,
)

ROUTES: dict[type[Message], tuple[Task, Queue]] = {
    SegmentMessage: (Task.SEGMENT, Queue.INFERENCE),
    SegmentVolumeMessage: (Task.SEGMENT_VOLUME, Queue.INFERENCE),
    ValidateDatasetMessage: (Task.VALIDATE_DATASET, Queue.TRAINING),
    TrainMessage: (Task.TRAIN, Queue.TRAINING),
    EvaluateMessage: (Task.EVALUATE, Queue.TRAINING),
}
COMMAND_S = 1.5  # Redis answers within a millisecond; a client should not wait long to hear that it is gone
WAIT_SLACK_S = 2.0
_log = logging.getLogger(__name__)


class JobQueue(Protocol):
    """What the API asks of a queue; tests bring their own."""

    def waiting(self, queue: Queue = Queue.INFERENCE) -> int:
        """How many messages wait for a worker; raises QueueUnavailable."""
        ...

    def offer(self, job_id: str, pixels: bytes) -> int:
        """Put pixels (.npy) where a worker finds them fast; answers like `waiting`. Raises QueueUnavailable."""
        ...

    def withdraw(self, job_id: str) -> None:
        """Take the pixels away again; never raises."""
        ...

    def send(self, message: Message) -> None:
        """Queue the work; its class says which task and queue. Raises QueueUnavailable."""
        ...

    def wait(self, job_id: str, seconds: float) -> dict[str, Any] | None:
        """What the worker says of the job's end, or None where it says nothing in time; never raises."""
        ...

    def ping(self) -> None:
        """Raise QueueUnavailable if Redis does not answer."""
        ...


class RedisJobQueue:
    """Celery's queue on Redis. Every call connects anew after a failure, so Redis may come and go."""

    def __init__(self, redis_url: str, broker_url: str, *, threads: int, wait_s: float = 20.0) -> None:
        # a pooled connection may be stale after Redis restarted: try one new one; but wait only once
        once = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=COMMAND_S,
            socket_connect_timeout=COMMAND_S,
            retry=once,
        )
        # BLPOP is silent for as long as it waits, so it needs connections with a longer time limit
        self._waits = redis.Redis.from_url(
            redis_url,
            socket_timeout=wait_s + WAIT_SLACK_S,
            socket_connect_timeout=COMMAND_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._celery = _celery_app(broker_url, threads)

    def waiting(self, queue: Queue = Queue.INFERENCE) -> int:
        """LLEN: Celery keeps one list a queue."""
        try:
            return int(self._redis.llen(queue))
        except redis.RedisError as error:
            raise QueueUnavailable from error

    def offer(self, job_id: str, pixels: bytes) -> int:
        """LLEN and SET with a time to live in one round trip; large pictures only lie in the file store."""
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.llen(Queue.INFERENCE)
                if len(pixels) <= PIXELS_MAX_BYTES:
                    pipe.set(pixels_key(job_id), pixels, ex=PIXELS_TTL_S)
                return int(pipe.execute()[0])
        except redis.RedisError as error:
            raise QueueUnavailable from error

    def withdraw(self, job_id: str) -> None:
        """DEL; the time to live does it otherwise."""
        try:
            self._redis.delete(pixels_key(job_id))
        except redis.RedisError:
            _log.warning("pixels_not_withdrawn")

    def send(self, message: Message) -> None:
        """Send by name; the reply is the row and the done list, so Celery keeps no result."""
        task, queue = ROUTES[type(message)]
        try:
            self._celery.send_task(
                task,
                kwargs=message.to_json(),
                queue=queue,
                task_id=message.job_id,
                headers={REQUEST_ID_MESSAGE_HEADER: message.request_id},
                ignore_result=True,
                retry=False,  # the client is told 503 at once and comes back itself
            )
        except (kombu.exceptions.KombuError, redis.RedisError, OSError) as error:
            raise QueueUnavailable from error

    def wait(self, job_id: str, seconds: float) -> dict[str, Any] | None:
        """BLPOP: the worker pushes, nobody polls."""
        try:
            pushed = self._waits.blpop([done_key(job_id)], timeout=seconds)
            return dict(json.loads(pushed[1])) if pushed else None
        except (redis.RedisError, ValueError, TypeError):
            _log.warning("wait_interrupted")  # the row knows how it went
            return None

    def ping(self) -> None:
        """PING with the short time limit."""
        try:
            self._redis.ping()
        except redis.RedisError as error:
            raise QueueUnavailable from error

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()
        self._waits.close()
        self._celery.close()


def _celery_app(broker_url: str, threads: int) -> celery.Celery:
    """A Celery application that only sends."""
    app = celery.Celery("service", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        broker_pool_limit=threads,  # one connection for every thread that may send at the same time
        broker_connection_retry=False,  # a request does not wait for Redis to come back; its client does
        broker_connection_timeout=COMMAND_S,
        broker_transport_options={
            "socket_timeout": COMMAND_S,
            "socket_connect_timeout": COMMAND_S,
            "max_retries": 0,  # kombu would otherwise try again inside send_task, for ever
            "retry_on_timeout": False,
        },
        task_create_missing_queues=True,
        task_send_sent_event=False,  # no monitoring by events: the database has the jobs
        task_ignore_result=True,
        task_compression=None,  # a message is a hundred bytes
    )
    return app
