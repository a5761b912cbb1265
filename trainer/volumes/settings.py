"""What the loop of volumes needs to know."""

from dataclasses import dataclass
from pathlib import Path

from trainer.jobs.child_process import VOLUME

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class VolumeSettings:
    """`max_bytes` is what may be sent or fetched of one volume; `memory_bytes` bounds the child's address space.

    One volume may take `timeout_s`, for the others wait for it. `nice` lets single slices come first.
    """

    work_dir: Path
    max_voxels: int = 1 << 28
    max_bytes: int = GIB
    memory_bytes: int = 16 * GIB
    timeout_s: int = 1800
    nice: int = 5
    command: tuple[str, ...] = VOLUME  # the child process; tests bring their own
