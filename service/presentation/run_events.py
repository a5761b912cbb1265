"""Server-sent events of a training run (WHATWG HTML, 9.2): what happened, and what happens."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.presentation.documents import timestamp
from shared.contract.errors import TooManyStreams
from shared.jobs.training_runs import RunEvent, RunView, TrainingRuns

POLL_S = 1.0
BEAT_S = 10.0  # proxies close a connection that is silent for longer than 15 to 60 s
RETRY_MS = 1000
PROGRESS = "progress"  # a kind that is not kept
PAGE = 500
_log = logging.getLogger(__name__)


class RunEvents:
    """RunEvents of events; each holds a thread, so there are at most `most` at a time, and each ends after a while."""

    def __init__(
        self,
        runs: TrainingRuns,
        *,
        most: int,
        seconds: float,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._seconds = seconds
        self._pause = pause
        self._clock = clock
        self._free = threading.BoundedSemaphore(most)
        self._closing = False

    def enter(self) -> Callable[[], None]:
        """Take one of the places; what is returned gives it back. Raises TooManyStreams."""
        if not self._free.acquire(blocking=False):
            raise TooManyStreams
        return self._free.release

    def close(self) -> None:
        """All streams end within a second: the process is asked to stop, and their clients come again elsewhere."""
        self._closing = True

    def nothing_left(self, run: RunView, after: int) -> bool:
        """Whether the run has ended and the client has all of its events."""
        return run.ended and not self._runs.events(run.id, after=after, limit=1)

    def stream(self, run_id: str, after: int) -> Iterator[bytes]:
        """The events after number `after` and those to come, until the run has ended or the time is up."""
        try:
            yield from self._stream(run_id, after)
        except (
            SQLAlchemyError
        ):  # the answer has begun: the client comes again, and goes on after its last event
            _log.exception("stream_broke_off")

    def _stream(self, run_id: str, after: int) -> Iterator[bytes]:
        ends = self._clock() + self._seconds
        beat = self._clock() + BEAT_S
        shown: dict[str, Any] = {}
        yield f"retry: {RETRY_MS}\n\n".encode()
        while True:
            run = self._runs.get(run_id)  # before its events: once it has ended, they are all there
            said = False
            while events := self._runs.events(run_id, after=after, limit=PAGE):
                after, said = events[-1].number, True
                yield b"".join(_kept(event) for event in events)
            if run.progress != shown and not run.ended:
                shown, said = run.progress, True
                yield _message(PROGRESS, shown)
            now = self._clock()
            if said:
                beat = now + BEAT_S
            elif now >= beat:
                beat = now + BEAT_S
                yield b": still here\n\n"
            if run.ended or now >= ends or self._closing:
                return
            self._pause(min(POLL_S, ends - now))


def _kept(event: RunEvent) -> bytes:
    """An event that the client can go on after."""
    data = {"at": timestamp(event.at), **event.data}
    return f"id: {event.number}\n".encode() + _message(event.kind, data)


def _message(kind: str, data: dict[str, Any]) -> bytes:
    """JSON has no line breaks of its own, so one `data` line holds it."""
    return f"event: {kind}\ndata: {json.dumps(data, allow_nan=False, separators=(',', ':'))}\n\n".encode()
