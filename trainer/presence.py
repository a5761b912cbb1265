"""Tells the database that this worker lives, and what it is ready for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.database.workers import Workers
from trainer.settings import VERSION

BEAT_S = 5.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a worker says of itself."""

    device: str = "cpu"
    engine: str = "none"
    models: Sequence[str] = ()
    encoder_weights: Sequence[str] | None = None  # see shared.database.workers


class Presence:
    """`beat` is the chore of a thread; `leave` ends it in order."""

    def __init__(
        self, workers: Workers, worker_id: str, queue: str, describe: Callable[[], Capabilities]
    ) -> None:
        self._workers, self._worker_id, self._queue, self._describe = workers, worker_id, queue, describe

    def beat(self) -> None:
        """Show life."""
        said = self._describe()
        self._workers.beat(
            self._worker_id,
            self._queue,
            said.device,
            said.engine,
            said.models,
            VERSION,
            encoder_weights=said.encoder_weights,
        )

    def leave(self) -> None:
        """No more jobs from here."""
        self._workers.forget(self._worker_id)
