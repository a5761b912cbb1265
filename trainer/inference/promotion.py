"""Changes aliases over: the old model answers until the new one is warm in every inference worker."""

from collections.abc import Callable

import structlog

from shared.contract.names import DEFAULT_ALIAS, Queue
from shared.database.models import Models
from shared.database.workers import Workers
from trainer.engines.warm_models import WarmModels

_log = structlog.get_logger(__name__)
PROMOTE_S = 1.0
# A worker that was not seen for so long is gone, or will warm the model when its jobs come.
SEEN_S = 30.0


class Promotion:
    """`run` is the chore of a thread in every inference worker; it never waits for a model.

    `beat` tells the other workers what is warm here.
    """

    def __init__(
        self, registry: Models, workers: Workers, models: WarmModels, beat: Callable[[], None]
    ) -> None:
        self._registry, self._workers, self._models, self._beat = registry, workers, models, beat

    def run(self) -> None:
        """Warm what aliases point to, and serve what is warm everywhere. A model that cannot be loaded never is."""
        aliases = self._registry.aliases()
        pending = {
            name: alias.model_id for name, alias in aliases.items() if alias.model_id != alias.serving_id
        }
        wanted = set(pending.values())
        if DEFAULT_ALIAS in aliases:
            wanted.add(aliases[DEFAULT_ALIAS].serving_id)
        self._models.pin(wanted)
        for model_id in wanted.difference(self._models.ids()):
            self._models.request(model_id, lambda known: None)  # why one fails is in the log by then
        if pending:
            self._beat()
            self._serve(pending)

    def _serve(self, pending: dict[str, str]) -> None:
        everywhere = [set(worker.models) for worker in self._workers.seen(Queue.INFERENCE, SEEN_S)]
        ready = set(self._models.ids()).intersection(*everywhere)
        for alias, model_id in pending.items():
            if model_id in ready and self._registry.serve(alias, model_id):
                _log.info("alias_changed_over", alias=alias, model=model_id)
