"""torch on CUDA (half precision) and on the CPU (fp32: the reference that the other engines are held against)."""

from threading import Lock

import numpy as np
import torch

from trainer.engines.cpus import usable_cpus
from trainer.engines.engine import EngineOutput, checked
from trainer.engines.model_folder import ModelSource


class TorchCpuEngine:
    """fp32, channels_last."""

    max_batch = 4

    def __init__(self, source: ModelSource) -> None:
        # More threads than the container may use would only wait for each other.
        torch.set_num_threads(usable_cpus())
        self.name, self.device = "torch-fp32", "cpu"
        # Channels last is what oneDNN's convolutions want; without it every layer reorders.
        self._network = source.predictor().eval().to(memory_format=torch.channels_last)
        channels, height, width = source.input_shape
        self.predict(np.zeros((1, channels, height, width), np.float32))

    def predict(self, x_BCHW: np.ndarray) -> EngineOutput:
        """See Engine."""
        with torch.inference_mode():
            x = torch.from_numpy(x_BCHW).to(memory_format=torch.channels_last)
            outputs = self._network(x)
        return checked(*(output.numpy() for output in outputs))


class TorchCudaEngine:
    """Autocast to fp16, channels_last, batches padded to a few sizes."""

    # Padding up to one of these: cuDNN chooses its kernels once a shape, and does so in the warm-up.
    BATCHES = (1, 2, 4, 8, 16, 32)
    max_batch = BATCHES[-1]

    def __init__(self, source: ModelSource, device: str) -> None:
        # fp16 rather than bf16: three more bits of mantissa for the same speed, and nothing here overflows it.
        self.name, self.device = "torch-cuda-fp16", f"{device} {torch.cuda.get_device_name(device)}"
        self._device = torch.device(device)
        self._shape = source.input_shape
        # Input shapes repeat for ever, so the search for the fastest kernels pays off.
        torch.backends.cudnn.benchmark = True
        network = source.predictor().eval().to(self._device)
        self._network = network.to(memory_format=torch.channels_last)
        # One pinned buffer: a copy from pageable memory would be staged by the driver, at half the speed.
        self._pinned = torch.empty((self.max_batch, *self._shape), dtype=torch.float32, pin_memory=True)
        self._lock = Lock()
        for batch in reversed(self.BATCHES):  # the largest first: what it allocates serves the others
            self.predict(np.zeros((batch, *self._shape), np.float32))

    def predict(self, x_BCHW: np.ndarray) -> EngineOutput:
        """See Engine; more than `max_batch` go in several passes."""
        parts = [
            self._pass(x_BCHW[start : start + self.max_batch])
            for start in range(0, len(x_BCHW), self.max_batch)
        ]
        return EngineOutput(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _pass(self, x_BCHW: np.ndarray) -> EngineOutput:
        count = len(x_BCHW)
        padded = next(size for size in self.BATCHES if size >= count)
        with self._lock, torch.inference_mode(), torch.autocast("cuda", dtype=torch.float16):
            self._pinned[:count].copy_(torch.from_numpy(x_BCHW))
            x = (
                self._pinned[:padded]
                .to(self._device, non_blocking=True)
                .to(memory_format=torch.channels_last)
            )
            probability_BHW, strangeness_BS, *label_BHW = (output[:count] for output in self._network(x))
            outputs = [probability_BHW.float(), strangeness_BS.float(), *label_BHW]
            copied = [output.cpu().numpy() for output in outputs]
        return checked(*copied)
