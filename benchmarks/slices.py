"""What the benchmarks send: real LGG slices where there are some, else drawn ones of the same size."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 256


@dataclass(frozen=True)
class Slices:
    """Encoded files, and in words what they are."""

    files: list[bytes]
    description: str


def load(count: int, folder: str | None = None) -> Slices:
    """`count` TIFF files from `folder` or LGG_DIR (PATIENT/*.tif), evenly spread over the patients."""
    folder = folder or os.environ.get("LGG_DIR")
    if not folder:
        drawn = [_drawn(number) for number in range(count)]
        return Slices(
            drawn, "slices drawn by the benchmark (no LGG_DIR): speed as with real ones, masks without sense"
        )
    paths = sorted(path for path in Path(folder).glob("*/*.tif") if not path.stem.endswith("_mask"))
    if not paths:
        raise SystemExit(f"error: there are no PATIENT/*.tif in {folder}: give --data or LGG_DIR")
    chosen = paths[:: max(1, len(paths) // count)][:count]
    return Slices(
        [path.read_bytes() for path in chosen], f"{len(chosen)} slices of the LGG segmentation dataset, TIFF"
    )


def _drawn(number: int) -> bytes:
    """An ellipse with noise and a bright spot, as TIFF."""
    generator = np.random.default_rng(number)
    y, x = np.mgrid[:SIDE, :SIDE]
    head = (np.hypot((y - 128) / 100, (x - 128) / 80) < 1) * 90
    spot = (np.hypot(y - 90 - number % 60, x - 110) < 5 + number % 20) * 80
    image = (head + spot)[..., None] + generator.integers(0, 25, (SIDE, SIDE, 3))
    stream = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(stream, "TIFF")
    return stream.getvalue()
