"""What the child process of one volume is told: the first line that it reads."""

from dataclasses import dataclass
from typing import Any

from trainer.jobs.child_order import ChildOrder


@dataclass(frozen=True, slots=True)
class VolumeChildOrder(ChildOrder):
    """A volume, as it was sent or as it is fetched, and what is written of it.

    `source` is the stored zip, or `dicomweb` says which series of which server is fetched (and whether the result is
    stored there). `channels` are the names of what the model is given, `labels` its classes as (value, name), none for
    a binary one; `model` has id, version, architecture and sha256. `seed` and `made` decide the UIDs and times of what
    is written: another attempt at the job writes the same again.
    """

    folder: str
    source: str | None
    dicomweb: dict[str, Any] | None
    in_channels: int
    channels: list[str]
    labels: list[tuple[int, str]]
    model: dict[str, str]
    threshold: float
    min_region_pixels: int
    image_size: int
    pixel_spacing_mm: list[float] | None
    slice_spacing_mm: float | None
    sequence_order: list[str] | None
    seed: str
    made: str  # RFC 3339: the same in each attempt
    max_voxels: int
    max_bytes: int
    memory_bytes: int
    seconds: int


VOLUME, PROBABILITY, LABEL = "volume.npy", "probability.npy", "label.npy"
