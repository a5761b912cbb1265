"""Stand-ins for what is around an inference worker: a network, an engine, a model on disk, Redis."""

import threading
from typing import Any

import numpy as np
import torch

from shared.contract.errors import ModelUnusable
from shared.preprocessing.preprocess import Preprocessing
from tests.fakes.cards import card
from trainer.engines.engine import EngineOutput, checked
from trainer.engines.warm_models import ServedModel

SIZE = 32
MEASURES = 2


class TinyNetwork(torch.nn.Module):
    """x_BCHW -> (probability_BHW, strangeness_BS), with weights that make something of the input."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.inner = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, MEASURES, 3, padding=1),
        )
        self.head = torch.nn.Conv2d(MEASURES, 1, 1)

    def forward(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.inner(x_BCHW)
        return torch.sigmoid(self.head(maps)[:, 0].float()), maps.mean(dim=(2, 3)).float()


class FakeSource:
    """A model of which only the network exists."""

    id = "tiny"
    views = 1

    def __init__(
        self,
        network: torch.nn.Module | None = None,
        fingerprint: str = "f",
        fault: str = "",
        size: int = SIZE,
    ) -> None:
        self._network, self.fingerprint, self._fault = network or TinyNetwork(), fingerprint, fault
        self.input_shape = (3, size, size)
        self.loads = 0

    def verify(self) -> None:
        if self._fault:
            raise ModelUnusable(self._fault)

    def predictor(self) -> torch.nn.Module:
        self.loads += 1
        return self._network.eval()


class FakeEngine:
    """Probability 1 where the first channel is above zero; breaks on request, and can be held."""

    name, device = "fake", "cpu"

    def __init__(
        self, max_batch: int = 4, breaks_on: float | None = None, smallest_breaking_batch: int = 1
    ) -> None:
        self.max_batch = max_batch
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self._breaks_on, self._smallest_breaking_batch = breaks_on, smallest_breaking_batch

    def predict(self, x_BCHW: np.ndarray) -> EngineOutput:
        assert self.go.wait(10)
        self.batches.append(len(x_BCHW))
        if self._breaks_on is not None and (x_BCHW[:, 0] > self._breaks_on).any():
            raise MemoryError("out of memory")
        if len(x_BCHW) >= self._smallest_breaking_batch > 1:
            raise MemoryError("out of memory")
        probability = (x_BCHW[:, 0] > 0).astype(np.float32)
        return checked(probability, x_BCHW.mean(axis=(2, 3))[:, :MEASURES])


def served(engine: Any = None, id: str = "m", **changes: Any) -> ServedModel:
    """A warm model around a fake engine."""
    fields: dict[str, Any] = {
        "preprocessing": Preprocessing(image_size=SIZE, normalization="imagenet"),
        "threshold": 0.5,
        "min_region_pixels": 1,
        "unlike": {"limits": [1e9, 1e9]},
        "card": card(id),
    }
    return ServedModel(id=id, engine=engine or FakeEngine(), **{**fields, **changes})


class FakeLink:
    """Redis as the inference worker sees it; `away` answers as RedisLink does without a server."""

    def __init__(self) -> None:
        self.cache: dict[str, bytes] = {}
        self.said: dict[str, list[dict[str, Any]]] = {}
        self.away = False

    def pixels(self, job_ids: Any) -> list[bytes | None]:
        return [None if self.away else self.cache.get(id) for id in job_ids]

    def announce(self, ends: Any) -> None:
        for job_id, document in ends:
            if not self.away:
                self.said.setdefault(job_id, []).append(document)

    def close(self) -> None:
        """Nothing to close."""
