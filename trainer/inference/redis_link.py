"""What a worker says to Redis beside Celery: pixels in, answers out. Without Redis the work goes on."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
import structlog

from shared.contract.names import DONE_TTL_S, done_key, pixels_key
from trainer.logs import brief

_log = structlog.get_logger(__name__)
COMMAND_S = 2.0


class RedisLink:
    """Pixels from the cache and answers to those who wait; trouble is logged once and costs nobody a job."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=COMMAND_S, socket_connect_timeout=COMMAND_S)
        self._in_trouble = False

    def pixels(self, job_ids: Sequence[str]) -> list[bytes | None]:
        """.npy bytes of each job, in one round trip; None where the cache has none."""
        try:
            found: list[bytes | None] = self._redis.mget([pixels_key(id) for id in job_ids])  # type: ignore[assignment]
        except redis.RedisError as error:
            self._troubled(error)
            return [None] * len(job_ids)
        self._in_trouble = False
        return found

    def announce(self, ends: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Push each job's end on its list, in one round trip, and let its pixels go."""
        with self._redis.pipeline(transaction=False) as pipe:
            for job_id, document in ends:
                pipe.rpush(done_key(job_id), json.dumps(document, separators=(",", ":")))
                pipe.expire(done_key(job_id), DONE_TTL_S)
                pipe.unlink(pixels_key(job_id))
            try:
                pipe.execute()
            except redis.RedisError as error:
                self._troubled(error)  # who waits reads the row when its time is over
            else:
                self._in_trouble = False

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _troubled(self, error: redis.RedisError) -> None:
        if not self._in_trouble:
            _log.warning("redis_unavailable", error=brief(error))
        self._in_trouble = True
