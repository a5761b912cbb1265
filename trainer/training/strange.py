"""How often `unlike_training_data` is right: images of other kinds from a folder, and rubbish made here."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from shared.contract.errors import ImageError
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits
from shared.preprocessing.unlike import unlike_training_data
from trainer.training.assess import Pixels, Served, Upload


def of_folder(folder: Path) -> Iterator[Pixels]:
    """Every picture under `folder` that the API would take."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                yield decode(path.read_bytes(), DecodeLimits()).pixels
            except ImageError:
                continue


def rubbish(
    slices: Iterable[Pixels], count: int = 20, size: int = 256, seed: int = 0
) -> dict[str, list[Pixels]]:
    """Kinds of images that are no brain MRI at all, and slices with their brightness turned round."""
    generator = np.random.default_rng(seed)
    shape = (size, size, 3)
    noise = [generator.integers(0, 256, shape).astype(np.uint8) for _ in range(count)]
    grey_noise = [generator.integers(0, 256, (size, size, 1)).astype(np.uint8) for _ in range(count)]
    blurred = [cv2.GaussianBlur(image, (0, 0), 2 + n % 8) for n, image in enumerate(noise)]
    return {
        "noise": noise + grey_noise,
        "blurred noise": [(255.0 * (b - b.min()) / max(1, np.ptp(b))).astype(np.uint8) for b in blurred],
        "plain colour": [np.full(shape, generator.integers(0, 256, 3), np.uint8) for _ in range(count)],
        "lines of text": [_text(size, generator) for _ in range(count)],
        "slices turned to negatives": [255 - pixels for pixels in slices],
    }


def share_warned(served: Served, images: Iterable[Pixels], limits: Sequence[float]) -> tuple[int, float]:
    """How many images there were, and which share of them is warned of."""
    warned = [
        unlike_training_data(served.look([Upload(pixels)])[0].strangeness, limits)
        for pixels in images
        if min(pixels.shape[:2]) >= 16
    ]
    return len(warned), float(np.mean(warned)) if warned else 0.0


def _text(size: int, generator: np.random.Generator) -> Pixels:
    page = np.full((size, size, 1), 255, np.uint8)
    for line in range(20, size, 20):
        words = "".join(chr(c) for c in generator.integers(97, 123, 24))
        cv2.putText(page, words, (8, line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1)
    return page
