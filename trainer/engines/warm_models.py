"""Models that are warm, by id: loaded once, in the background, the least recently used dropped."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from shared.contract.errors import ModelUnusable, ServiceError
from shared.preprocessing.preprocess import Preprocessing
from shared.registry.cards import ModelCard
from trainer.engines.engine import Engine

_log = structlog.get_logger(__name__)
# A model that cannot be loaded fails its jobs at once for so long, instead of being tried again for each.
FAILURE_LASTS_S = 30.0


@dataclass(frozen=True)
class ServedModel:
    """A warm model and how its answers are read; `threshold` and `min_region_pixels` as in its card."""

    id: str
    engine: Engine
    preprocessing: Preprocessing
    threshold: float
    min_region_pixels: int
    unlike: dict[str, Any]
    card: ModelCard

    @property
    def classes(self) -> list[tuple[int, str]]:
        """Value and name of each kind of tumour that it tells apart; none for a binary model."""
        return [(label.value, label.name) for label in self.card.labels] if self.card.classes > 1 else []


Loaded = Callable[[ServedModel | ServiceError], None]


class WarmModels:
    """A bounded cache of served models. `open_model` may take seconds, so it runs in one thread of its own."""

    def __init__(
        self,
        open_model: Callable[[str], ServedModel],
        limit: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open, self._limit, self._clock = open_model, limit, clock
        self._lock = threading.Lock()
        self._warm: OrderedDict[str, ServedModel] = OrderedDict()
        self._pinned: frozenset[str] = frozenset()
        self._failed: dict[str, tuple[float, ServiceError]] = {}
        self._waiting: dict[str, list[Loaded]] = {}
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="models")

    def get(self, model_id: str) -> ServedModel | None:
        """The model if it is warm; used just now."""
        with self._lock:
            if model_id in self._warm:
                self._warm.move_to_end(model_id)
            return self._warm.get(model_id)

    def request(self, model_id: str, then: Loaded) -> None:
        """Call `then` with the model, or with why it cannot be had, once that is known (from any thread)."""
        with self._lock:
            known = self._warm.get(model_id) or self._failure(model_id)
            if known is None:
                waiting = self._waiting.setdefault(model_id, [])
                waiting.append(then)
                if len(waiting) == 1:
                    self._loader.submit(self._load, model_id)
        if known is not None:
            then(known)

    def warm_up(self, model_id: str) -> ServedModel:
        """Load (unless warm) and wait. Raises ServiceError."""
        loaded: Future[ServedModel | ServiceError] = Future()
        self.request(model_id, loaded.set_result)
        known = loaded.result()
        if isinstance(known, ServiceError):
            raise known
        return known

    def pin(self, model_ids: Iterable[str]) -> None:
        """Drop none of these, and any other again; beside them one more stays whatever the limit."""
        with self._lock:
            self._pinned = frozenset(model_ids)
            self._drop_surplus()

    def ids(self) -> list[str]:
        """The warm models."""
        with self._lock:
            return sorted(self._warm)

    def close(self) -> None:
        """Load no further models; those who wait are not called."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _failure(self, model_id: str) -> ServiceError | None:
        since, error = self._failed.get(model_id, (0.0, None))
        if error is not None and self._clock() - since > FAILURE_LASTS_S:
            del self._failed[model_id]
            return None
        return error

    def _load(self, model_id: str) -> None:
        started = time.perf_counter()
        _log.info("loading_model", model=model_id)
        known: ServedModel | ServiceError
        try:
            known = self._open(model_id)
            ready_s = round(time.perf_counter() - started, 2)
            _log.info(
                "model_warm", model=model_id, engine=known.engine.name, device=known.engine.device, s=ready_s
            )
        except Exception as error:
            _log.exception("model_not_loaded", model=model_id)
            known = error if isinstance(error, ServiceError) else _unusable(model_id, error)
        self._keep(model_id, known)

    def _keep(self, model_id: str, known: ServedModel | ServiceError) -> None:
        with self._lock:
            if isinstance(known, ServiceError):
                self._failed[model_id] = (self._clock(), known)
            else:
                self._warm[model_id] = known
                self._drop_surplus()
            waiting = self._waiting.pop(model_id, [])
        for then in waiting:
            then(known)

    def _drop_surplus(self) -> None:
        free = [model_id for model_id in self._warm if model_id not in self._pinned]
        for model_id in free[: max(0, min(len(free) - 1, len(self._warm) - self._limit))]:
            del self._warm[model_id]  # jobs under way keep it until they end
            _log.info("model_dropped", model=model_id)


def _unusable(model_id: str, error: Exception) -> ModelUnusable:
    return ModelUnusable(f"The model {model_id} cannot be used here: {type(error).__name__}: {error}")
