"""A chore that a thread repeats, whatever goes wrong in it."""

import random
import threading
from collections.abc import Callable

import structlog

from trainer.logs import brief

_log = structlog.get_logger(__name__)


class Periodic:
    """Calls `chore` every `interval_s` seconds, give or take `jitter`, until stopped.

    Trouble is logged when it begins and when it ends, not every time: a database that is away for an hour
    is one line.
    """

    def __init__(
        self, name: str, chore: Callable[[], object], interval_s: float, jitter: float = 0.0
    ) -> None:
        self.name = name
        self._chore, self._interval_s, self._jitter = chore, interval_s, jitter
        self._stop = threading.Event()
        self._in_trouble = False
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """No further calls; waits for the one that runs."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def run_once(self) -> None:
        """One call, its trouble logged and swallowed."""
        try:
            self._chore()
        except Exception as error:  # whatever it is, the next round may go well
            self._troubled(error)
        else:
            if self._in_trouble:
                _log.info("chore_works_again", chore=self.name)
            self._in_trouble = False

    def _loop(self) -> None:
        while not self._stop.is_set():
            self.run_once()
            self._stop.wait(self._interval_s * (1 + random.uniform(-self._jitter, self._jitter)))

    def _troubled(self, error: Exception) -> None:
        if not self._in_trouble:
            _log.warning("chore_failed", chore=self.name, error=brief(error))
        self._in_trouble = True
