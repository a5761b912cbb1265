"""Remembering an answer for a moment, so that a hot path does not ask the database the same thing each time."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 1024


class Remembered(Generic[T]):
    """Values by key for `seconds`; what `make` raises is not remembered. Safe between threads.

    Two threads may make the same value at the same time: that costs less than a lock for everybody.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key, made anew when it is older than `seconds`."""
        now = self._clock()
        found = self._kept.get(key)
        if found is not None and now - found[0] < self._seconds:
            return found[1]
        value = make()
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = (now, value)
        return value

    def forget(self) -> None:
        """Make everything anew from now on."""
        self._kept.clear()
