"""Slow work that may be called off, and writes that wait for the database to come back."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

T = TypeVar("T")
TICK_S = 0.2
# How long the database may be away before a job is given up (its lease has run out long before).
PATIENCE_S = 600.0
_PAUSE_S = 0.5


class NotWanted(Exception):
    """Work was broken off: the job was cancelled, or the worker stops."""


def meanwhile(work: Callable[[Callable[[int, int], None]], T], wanted: Callable[[], bool]) -> T:
    """The result of slow work, which calls what it is given now and then. NotWanted once nobody wants it any more."""

    def check(done: int, of: int) -> None:
        if not wanted():
            raise NotWanted

    pool = ThreadPoolExecutor(1, thread_name_prefix="fetching")
    future: Future[T] = pool.submit(work, check)
    pool.shutdown(wait=False)  # it may wait for a lock: left to itself where it is not wanted any more
    while not wait([future], TICK_S).done:
        check(0, 0)
    check(0, 0)
    return future.result()


def patiently(write: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Try again while the database is away; SQLAlchemyError once patience is over.

    A child process goes on meanwhile, until its pipe is full.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return write()
        except SQLAlchemyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
