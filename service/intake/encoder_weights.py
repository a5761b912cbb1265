"""Whether training workers can begin an encoder with ImageNet weights, asked before a run is accepted."""

from shared.contract.names import Queue
from shared.database.workers import Workers, WorkerView
from shared.recipe import Recipe

ANY = "*"


class EncoderWeightsCheck:
    """`seen_s`: a worker that showed life so many seconds ago is alive."""

    def __init__(self, workers: Workers, seen_s: float) -> None:
        self._workers, self._seen_s = workers, seen_s

    def lacking(self, recipe: Recipe) -> str | None:
        """What to say where a living training worker says that it cannot have them; None where all can.

        Any of them may be the one that takes the run. One that does not know yet is trusted.
        """
        if recipe.encoder is None or recipe.encoder_weights is None:
            return None
        said = [w.encoder_weights for w in self._workers.seen(within_s=self._seen_s) if _trains(w)]
        if any(names is not None and not {recipe.encoder, ANY} & {*names} for names in said):
            return _message(recipe.encoder, said)
        return None


def _trains(worker: WorkerView) -> bool:
    """Also one that does everything, which the table has under its other queue."""
    return worker.queue == Queue.TRAINING or worker.encoder_weights is not None


def _message(encoder: str, said: list[list[str] | None]) -> str:
    known = [{*names} for names in said if names is not None and ANY not in names]
    others = sorted(set.intersection(*known))
    had = f" All have those of: {', '.join(others)}." if others else ""
    return (
        f"a training worker has not the {encoder} weights of ImageNet, nor a network to fetch them by: put a file "
        f"{encoder}.pth (or .safetensors) into the workers' ENCODER_WEIGHTS_DIR, or give null to begin with random "
        f"weights.{had}"
    )
