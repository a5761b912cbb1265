"""OpenVINO on the CPU: bf16 where the CPU computes in it, else f32."""

from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from shared.contract.errors import ServiceError
from trainer.engines.cpus import usable_cpus
from trainer.engines.engine import EngineError, EngineOutput, checked
from trainer.engines.model_folder import ModelSource
from trainer.engines.openvino_model import converted
from trainer.engines.openvino_without_telemetry import ov

props, hints = ov.properties, ov.properties.hint


@cache
def the_core() -> ov.Core:
    """The one core of this process, never let go.

    A core gives its thread another stack for signals and puts the former one back when it ends. Of two cores the
    second would put back the first one's, which is gone if that ended earlier, and the next signal, such as a
    SIGTERM, would end the process by SIGSEGV (OpenVINO 2026.4).
    """
    return ov.Core()


class OpenVinoEngine:
    """One stream over all cores: the lowest latency, and as much throughput as several streams give here."""

    # More images at a time fall out of the CPU's caches and cost more each (measured: docs/benchmarks.md).
    IMAGES = 2

    def __init__(self, source: ModelSource, cache_dir: Path | None = None) -> None:
        core = the_core()
        bf16 = "BF16" in core.get_property("CPU", props.device.capabilities)
        self.name, self.device = f"openvino-{'bf16' if bf16 else 'f32'}", "cpu"
        self._shape = source.input_shape
        self.max_batch = max(1, self.IMAGES // source.views)
        try:
            network = converted(core, source, cache_dir)
            self._compiled = core.compile_model(network, "CPU", _options(bf16))
        except ServiceError:
            raise
        except Exception as error:  # its errors have no common class
            raise EngineError(str(error).strip().splitlines()[-1]) from error
        # An infer request belongs to one caller at a time, and its first pass is slow: they are kept and lent.
        self._requests: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for batch in range(1, self.max_batch + 1):  # each new shape is prepared once
            self.predict(np.zeros((batch, *self._shape), np.float32))

    def predict(self, x_BCHW: np.ndarray) -> EngineOutput:
        """See Engine; more than `max_batch` go in several passes."""
        parts = [
            self._pass(x_BCHW[start : start + self.max_batch])
            for start in range(0, len(x_BCHW), self.max_batch)
        ]
        if len(parts) == 1:
            return parts[0]
        return EngineOutput(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _pass(self, x_BCHW: np.ndarray) -> EngineOutput:
        try:
            request = self._requests.get_nowait()
        except Empty:
            request = self._compiled.create_infer_request()
        try:
            # The input is read where it lies; the outputs are copied, because the next call overwrites them.
            outputs = request.infer([x_BCHW], share_inputs=True, share_outputs=False)
        finally:
            self._requests.put(request)
        return checked(*(outputs[n] for n in range(len(outputs))))


def _options(bf16: bool) -> dict[object, object]:
    return {
        hints.inference_precision: ov.Type.bf16 if bf16 else ov.Type.f32,
        hints.performance_mode: hints.PerformanceMode.LATENCY,
        props.num_streams: 1,
        props.inference_num_threads: usable_cpus(),
        # Pinned threads would wait for their core while the API or Redis runs on it.
        hints.enable_cpu_pinning: False,
    }
