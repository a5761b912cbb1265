"""Which engine runs a model here: CUDA where there is a GPU, else OpenVINO, else torch on the CPU."""

from pathlib import Path

import structlog

from shared.contract.config import ConfigError
from shared.contract.errors import ModelUnusable
from trainer.engines.engine import Engine, EngineError
from trainer.engines.model_folder import ModelSource

_log = structlog.get_logger(__name__)
# Nothing of NVIDIA's driver here: no need to spend two seconds on importing torch to ask it.
_GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")


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
