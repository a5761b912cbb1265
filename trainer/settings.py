"""Settings of a worker from the environment; a missing or unsafe one names itself before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shared.contract.config import GIB, DatasetSettings, EnvReader, StoreSettings
from shared.contract.dicomweb import DicomwebSettings
from trainer.volumes.settings import VolumeSettings

VERSION = "0.1.0"
ENGINES = ("auto", "torch", "openvino")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs to know; `warm_models` is how many models stay in memory at once."""

    store: StoreSettings
    device: str = "auto"
    engine: str = "auto"
    warm_models: int = 3
    drain_s: float = 8.0
    training_threads: int = 0
    training_nice: int = 10
    checkpoint_s: float = 60.0
    encoder_weights: Path | None = None
    log_level: str = "info"
    datasets: DatasetSettings = DatasetSettings()
    dicomweb: DicomwebSettings = DicomwebSettings()
    max_volume_voxels: int = 1 << 28
    max_volume_bytes: int = GIB
    volume_memory_bytes: int = 16 * GIB
    volume_timeout_s: int = 1800

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """Read DEVICE, ENGINE, WARM_MODELS, ..., LOG_LEVEL, the datasets' and the store's. ConfigError."""
        reader = EnvReader(os.environ if env is None else env)
        settings = cls(
            store=StoreSettings.read(reader),
            device=_device(reader),
            engine=reader.choice("ENGINE", "auto", ENGINES),
            warm_models=reader.integer("WARM_MODELS", 3, 1, 64),
            # Shorter than the ten seconds that containers and supervisors give before they kill.
            drain_s=reader.number("DRAIN_S", 8, 0, 3600),
            training_threads=reader.integer("TRAINING_THREADS", 0, 0, 1024),
            # Behind the inference worker of the same machine: a clinician waits for a slice, nobody for an epoch.
            training_nice=reader.integer("TRAINING_NICE", 10, 0, 19),
            checkpoint_s=reader.number("CHECKPOINT_S", 60, 0.1, 86400),
            encoder_weights=_folder_or_none(reader, "ENCODER_WEIGHTS_DIR"),
            log_level=reader.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
            datasets=DatasetSettings.read(reader),
            # Read again by the process that needs it; here, so that a mistake is named when the worker starts.
            dicomweb=DicomwebSettings.read(reader),
            max_volume_voxels=reader.integer("MAX_VOLUME_VOXELS", 1 << 28, 1, 1 << 34),
            max_volume_bytes=reader.integer("MAX_VOLUME_BYTES", GIB, 1024, 64 * GIB),
            # Address space, which is more than what is used: libraries map a few gigabytes that they never touch.
            volume_memory_bytes=reader.integer("VOLUME_MEMORY_BYTES", 16 * GIB, GIB, 1024 * GIB),
            volume_timeout_s=reader.integer("VOLUME_TIMEOUT_S", 1800, 10, 7 * 86400),
        )
        reader.finish()
        return settings

    @property
    def cache_dir(self) -> Path:
        """What can be made again at any time: converted models."""
        return self.store.data_dir / "cache"

    @property
    def volumes(self) -> VolumeSettings:
        """For the loop of volumes."""
        return VolumeSettings(
            work_dir=self.store.data_dir / "work" / "segmentations",
            max_voxels=self.max_volume_voxels,
            max_bytes=self.max_volume_bytes,
            memory_bytes=self.volume_memory_bytes,
            timeout_s=self.volume_timeout_s,
        )

    @property
    def work_dir(self) -> Path:
        """What training runs need while they go on."""
        return self.store.data_dir / "work" / "training-runs"

    @property
    def evaluations_dir(self) -> Path:
        """What evaluations need while they go on."""
        return self.store.data_dir / "work" / "evaluations"


def _folder_or_none(reader: EnvReader, name: str) -> Path | None:
    if reader.raw(name) is None:
        return None
    folder = reader.folder(name, ".")
    if not folder.is_dir():
        reader.problem(name, "which is not there", "give the path of a folder")
    return folder


def _device(reader: EnvReader) -> str:
    device = (reader.raw("DEVICE") or "auto").lower()
    index = device.removeprefix("cuda:")
    if device not in ("auto", "cpu", "cuda") and not (
        index != device and index.isdecimal() and len(index) < 3
    ):
        reader.problem("DEVICE", "which is not known", "give auto, cpu, cuda or cuda:0")
    return device
