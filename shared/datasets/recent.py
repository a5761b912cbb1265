"""The last few things that were read, kept for the next slice of the same patient."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from shared.contract.errors import ServiceError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `size` values, each made by `make` when it is asked for; safe for threads, which wait for each other.

    An error is kept too: a case with a broken file is not read again for each of its slices.
    """

    def __init__(self, make: Callable[[K], V], size: int) -> None:
        self._make, self._size = make, size
        self._kept: OrderedDict[K, V | ServiceError] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V:
        """The value; raises what `make` raises."""
        with self._lock:
            if key not in self._kept:
                while len(self._kept) >= self._size:  # before the next one is made: there is never one more
                    self._kept.popitem(last=False)
                try:
                    self._kept[key] = self._make(key)
                except ServiceError as error:
                    self._kept[key] = error.with_traceback(None)
            self._kept.move_to_end(key)
            found = self._kept[key]
        if isinstance(found, ServiceError):
            raise type(found)(found.detail)
        return found
