"""What runs a model on this machine, behind one call: each engine is a file of its own, `open_engine.py` chooses.

Shapes: B batch, C channels, H and W the model's input size, S measures of strangeness.
"""

from typing import NamedTuple, Protocol

import numpy as np


class EngineOutput(NamedTuple):
    """`probability_BHW` float32 in 0..1, calibrated and averaged over test-time flips; `strangeness_BS` float32.

    `label_BHW` uint8: the class that a pixel is of if it is tumour; (B, 1, 1) where there is but one.
    """

    probability_BHW: np.ndarray
    strangeness_BS: np.ndarray
    label_BHW: np.ndarray


class Engine(Protocol):
    """A warm model: `max_batch` is the size beyond which this device gains nothing."""

    name: str
    device: str
    max_batch: int

    def predict(self, x_BCHW: np.ndarray) -> EngineOutput:
        """float32 (B, C, H, W) -> outputs of the same B, of any size; from any thread."""
        ...


class EngineError(Exception):
    """The engine cannot run this model here; the text says why."""


def checked(
    probability_BHW: np.ndarray, strangeness_BS: np.ndarray, label_BHW: np.ndarray | None = None
) -> EngineOutput:
    """The outputs, or ArithmeticError where a number format overflowed: never a mask made of nan."""
    if not np.isfinite(probability_BHW).all():
        raise ArithmeticError("the network's output is not finite")
    if label_BHW is None:
        label_BHW = np.ones((len(probability_BHW), 1, 1), np.uint8)
    return EngineOutput(probability_BHW, strangeness_BS, label_BHW)
