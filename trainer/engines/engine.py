"""What runs a model on this machine: CUDA, OpenVINO or torch on the CPU, behind one call.

Shapes: B batch, C channels, H and W the model's input size, S measures of strangeness.
"""

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import structlog

from shared.contract.config import ConfigError
from shared.contract.errors import ModelUnusable
from trainer.engines.model_folder import ModelSource

_log = structlog.get_logger(__name__)
# Nothing of NVIDIA's driver here: no need to spend two seconds on importing torch to ask it.
_GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")


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


def resolve_device(device: str) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N` -> `cpu` or `cuda:N`; ConfigError if CUDA is asked for and not there."""
    if device == "cpu" or (device == "auto" and not any(Path(node).exists() for node in _GPU_NODES)):
        return "cpu"
    import torch

    index = int(device.partition(":")[2] or 0)
    if torch.cuda.is_available() and index < torch.cuda.device_count():
        return f"cuda:{index}"
    if device == "auto":
        return "cpu"
    there = (
        f"{torch.cuda.device_count()} CUDA device(s)"
        if torch.cuda.is_available()
        else "no usable CUDA device"
    )
    raise ConfigError(
        f"DEVICE is {device!r}, and torch finds {there} here: give auto or cpu, or install the driver"
    )


def open_engine(
    source: ModelSource, device: str, engine: str = "auto", cache_dir: Path | None = None
) -> Engine:
    """The best engine for the device (`cpu` or `cuda:N`), warmed up.

    `engine` is auto, torch or openvino; asked for by name it is not replaced. Raises ModelUnusable if the
    model is broken or cannot be run.
    """
    source.verify()
    if device != "cpu" and engine == "openvino":
        raise ConfigError("ENGINE is 'openvino', which runs on the CPU: give DEVICE=cpu with it")
    if device != "cpu" or engine == "torch":
        return _torch_engine(source, device)
    try:
        from trainer.engines.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(source, cache_dir)
    except (ImportError, EngineError) as error:
        if engine == "openvino":
            raise ModelUnusable(f"OpenVINO cannot run the model {source.id}: {error}") from error
        _log.warning("openvino_not_used", model=source.id, error=str(error), instead="torch")
        return _torch_engine(source, device)


def _torch_engine(source: ModelSource, device: str) -> Engine:
    from trainer.engines.torch_engine import TorchCpuEngine, TorchCudaEngine

    return TorchCpuEngine(source) if device == "cpu" else TorchCudaEngine(source, device)


def checked(
    probability_BHW: np.ndarray, strangeness_BS: np.ndarray, label_BHW: np.ndarray | None = None
) -> EngineOutput:
    """The outputs, or ArithmeticError where a number format overflowed: never a mask made of nan."""
    if not np.isfinite(probability_BHW).all():
        raise ArithmeticError("the network's output is not finite")
    if label_BHW is None:
        label_BHW = np.ones((len(probability_BHW), 1, 1), np.uint8)
    return EngineOutput(probability_BHW, strangeness_BS, label_BHW)
