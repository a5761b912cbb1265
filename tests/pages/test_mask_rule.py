"""The browser makes the same mask of a probability map as the service does, to the pixel."""

from typing import Any

import numpy as np
from playwright.sync_api import Page

from shared.masks.binary_mask import binary_mask, threshold_level
from shared.masks.measure import confidence, regions
from tests.pages.browsing import MARKS, module

pytestmark = MARKS

MAKE = """async ([address, map, width, height, threshold, smallest]) => {
  const { Masker, thresholdLevel, levelThreshold } = await import(address);
  const masker = new Masker(width, height), level = thresholdLevel(threshold);
  const { area, confidence, regions } = masker.make(Uint8Array.from(map), level, smallest);
  const mask = Array.from(masker.mask, (value) => value === 1);
  return { level, sent: levelThreshold(level), mask, area, confidence, regions };
}"""


def made(page: Page, probability_HW: np.ndarray, threshold: float, smallest: int) -> dict[str, Any]:
    height, width = probability_HW.shape
    values = [
        module(page, "viewer/mask.js"),
        probability_HW.ravel().tolist(),
        width,
        height,
        threshold,
        smallest,
    ]
    return page.evaluate(MAKE, values)


def blotches(generator: np.random.Generator) -> np.ndarray:
    """Noise with a grain of some pixels, so that there are regions of many sizes."""
    height, width, grain = generator.integers(1, 60), generator.integers(1, 60), generator.integers(1, 7)
    coarse = generator.integers(0, 256, (-(-height // grain), -(-width // grain)))
    return np.kron(coarse, np.ones((grain, grain)))[:height, :width].astype(np.uint8)


def test_masks_areas_and_confidences_are_those_of_the_service(page: Page) -> None:
    generator = np.random.default_rng(0)
    for _ in range(60):
        probability, threshold = blotches(generator), float(generator.uniform(0.001, 1))
        smallest = int(generator.integers(0, 40))
        theirs = made(page, probability, threshold, smallest)
        ours = binary_mask(probability, threshold, smallest)
        assert theirs["level"] == threshold_level(threshold)
        assert np.array_equal(np.reshape(theirs["mask"], probability.shape), ours)
        assert theirs["area"] == np.count_nonzero(ours)
        assert abs(theirs["confidence"] - confidence(ours, probability, threshold)) < 1e-4
        found = regions(ours, None) if ours.any() else []
        assert sorted(each["area"] for each in theirs["regions"])[-100:] == sorted(
            each["area_pixels"] for each in found
        )
        assert sorted(each["bbox"] for each in theirs["regions"][:100]) == sorted(
            each["bbox"] for each in found
        )


def test_the_threshold_that_is_shown_gives_the_same_mask_when_it_is_sent(page: Page) -> None:
    for level in range(1, 256):
        theirs = made(page, np.zeros((1, 1), np.uint8), level / 255, 1)
        assert theirs["level"] == level and threshold_level(theirs["sent"]) == level
