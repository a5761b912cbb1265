"""Micro-batcher: single items from many threads, answers one by one, one batched call underneath."""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from trainer.inference.batch_stage import BatchStage, Closed

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers items into batches for `run`, which answers with one result or one exception an item.

    If `run` raises for a batch, each of its items is tried again alone, so that a bad one fails by itself.
    It knows nothing about what items are; those of one batch share a `key`.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[list[Item]], Sequence[Result | Exception]],
        *,
        max_batch: int | Callable[[Item], int],
        max_waiting: int,
        key: Callable[[Item], Hashable] | None = None,
    ) -> None:
        self._run = run
        self._stage: BatchStage[tuple[Item, Callable[[Result | Exception], None]]] = BatchStage(
            name,
            self._handle,
            max_batch=(lambda entry: max_batch(entry[0])) if callable(max_batch) else max_batch,
            max_waiting=max_waiting,
            key=None if key is None else lambda entry: key(entry[0]),
        )

    def start(self) -> None:
        """Begin to work."""
        self._stage.start()

    def submit(self, item: Item, then: Callable[[Result | Exception], None]) -> None:
        """Queue one and call `then` with its result or exception, in the batcher's thread.

        Blocks while the queue is full; raises Closed once the batcher is closed.
        """
        self._stage.put((item, then))

    def future(self, item: Item) -> "Future[Result]":
        """Queue one; a future for callers that wait."""
        future: Future[Result] = Future()
        self.submit(item, lambda outcome: _resolve(future, outcome))
        return future

    def waiting(self) -> int:
        """How many items are queued."""
        return self._stage.waiting()

    def close(self, timeout_s: float) -> list[Item]:
        """Take nothing more, run what waits; what could not be run in time gets Closed and is returned."""
        left = self._stage.close(timeout_s)
        for _, then in left:
            then(Closed("shutting down"))
        return [item for item, _ in left]

    def _handle(self, entries: list[tuple[Item, Callable[[Result | Exception], None]]]) -> None:
        for (_, then), outcome in zip(entries, self._outcomes([item for item, _ in entries]), strict=True):
            then(outcome)

    def _outcomes(self, items: list[Item]) -> Sequence[Result | Exception]:
        try:
            outcomes = self._run(items)
            if len(outcomes) != len(items):
                raise RuntimeError(f"{len(outcomes)} results for {len(items)} items")
            return outcomes
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [outcome for item in items for outcome in self._outcomes([item])]


def _resolve(future: "Future[Result]", outcome: Result | Exception) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
