"""Refuses a run whose encoder no training worker could begin with ImageNet weights, before it waits. No Flask."""

from shared.contract.errors import InvalidFields
from shared.contract.names import Queue
from shared.recipe import Recipe
from shared.storage.workers import Workers, WorkerView

ANY = "*"


class EncoderWeights:
    """`seen_s`: a worker that showed life so many seconds ago is alive."""

    def __init__(self, workers: Workers, seen_s: float) -> None:
        self._workers, self._seen_s = workers, seen_s

    def require(self, recipe: Recipe) -> None:
        """Raise InvalidFields (encoder_weights) where all living training workers say that they cannot have them.

        Without any, or with one that does not know yet, the run is accepted: it may wait for another.
        """
        if recipe.encoder is None or recipe.encoder_weights is None:
            return
        said = [w.encoder_weights for w in self._workers.seen(within_s=self._seen_s) if _trains(w)]
        if said and all(names is not None and not {recipe.encoder, ANY} & {*names} for names in said):
            raise InvalidFields(errors={"encoder_weights": [_message(recipe.encoder, said)]})


def _trains(worker: WorkerView) -> bool:
    """Also one that does everything, which the table has under its other queue."""
    return worker.queue == Queue.TRAINING or worker.encoder_weights is not None


def _message(encoder: str, said: list[list[str] | None]) -> str:
    others = sorted({name for names in said for name in names or ()})
    had = f" They have those of: {', '.join(others)}." if others else ""
    return (
        f"no training worker has the {encoder} weights of ImageNet, nor a network to fetch them by: put a file "
        f"{encoder}.pth (or .safetensors) into the workers' ENCODER_WEIGHTS_DIR, or give null to begin with random "
        f"weights.{had}"
    )
