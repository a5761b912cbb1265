"""A thread with a bounded queue in front of it that takes what waits, a batch at a time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item")
_log = structlog.get_logger(__name__)


class Closed(Exception):
    """The stage takes nothing any more."""


class BatchStage(Generic[Item]):
    """Hands batches of waiting items to `handle`, in the order in which they came.

    It never waits for a batch to fill: alone, an item goes straight through; under load the next batch gathers
    while this one is handled. A batch has one `key`, and at most `max_batch` items (or as many as that function
    says of the first). `handle` must deal with its own errors.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[list[Item]], None],
        *,
        max_batch: int | Callable[[Item], int],
        max_waiting: int,
        key: Callable[[Item], Hashable] | None = None,
    ) -> None:
        self.name = name
        self._handle, self._key = handle, key
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._filled, self._emptied = threading.Condition(self._lock), threading.Condition(self._lock)
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue one; blocks while `max_waiting` wait already. Raises Closed."""
        with self._lock:
            while len(self._items) >= self._max_waiting and not self._closed:
                self._emptied.wait()
            if self._closed:
                raise Closed(self.name)
            self._items.append(item)
            self._filled.notify()

    def put_anyway(self, item: Item) -> None:
        """Queue one without waiting, for callers that ask `wait_for_room` first. Raises Closed."""
        with self._lock:
            if self._closed:
                raise Closed(self.name)
            self._items.append(item)
            self._filled.notify()

    def wait_for_room(self, timeout_s: float) -> bool:
        """Whether fewer than `max_waiting` wait, or the stage is closed, within the time."""
        if len(self._items) < self._max_waiting:  # no lock on the path that is nearly always taken
            return True
        with self._lock:
            return self._emptied.wait_for(
                lambda: self._closed or len(self._items) < self._max_waiting, timeout_s
            )

    def waiting(self) -> int:
        """How many items are queued."""
        return len(self._items)

    def close(self, timeout_s: float) -> list[Item]:
        """Take nothing more, handle what waits, and return what was not begun when the time was over."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, timeout_s))
        with self._lock:
            left, self._items = list(self._items), deque()
        return left

    def _loop(self) -> None:
        while batch := self._take():
            try:
                self._handle(batch)
            except Exception:
                _log.exception("stage_failed", stage=self.name, items=len(batch))
                time.sleep(0.05)  # a handler that is broken for good must not spin

    def _take(self) -> list[Item]:
        with self._lock:
            while not self._items and not self._closed:
                self._filled.wait()
            batch = self._next_batch()
            self._emptied.notify_all()
            return batch

    def _next_batch(self) -> list[Item]:
        if not self._items:
            return []
        first = self._items[0]
        limit = self._max_batch(first) if callable(self._max_batch) else self._max_batch
        if self._key is None:
            return [self._items.popleft() for _ in range(min(limit, len(self._items)))]
        key = self._key(first)
        batch: list[Item] = []
        others: deque[Item] = deque()
        for item in self._items:
            (batch if len(batch) < limit and self._key(item) == key else others).append(item)
        self._items = others
        return batch
