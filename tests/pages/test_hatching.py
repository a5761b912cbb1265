"""Tumour of a class that is not known is painted as no class, and in a way that is seen on bright and dark tissue."""

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.pages.browsing import MARKS, module

pytestmark = MARKS

SIZE = 12
# The result's own mask is the left third, of one class; another threshold adds the middle third.
PAINT = """async ([address, size, color]) => {
  const { Painter } = await import(address);
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const labels = new ImageData(size, size), mask = new Uint8Array(size * size);
  for (let at = 0; at < mask.length; at += 1) {
    const third = Math.floor(((at % size) * 3) / size);
    mask[at] = third < 2 ? 1 : 0;
    labels.data.set(third === 0 ? [0, 220, 0, 255] : [0, 0, 0, 255], at * 4);
  }
  new Painter(canvas).paint({ labels }, mask, "fill", color);
  return Array.from(canvas.getContext("2d").getImageData(0, 0, size, size).data);
}"""


@pytest.mark.parametrize("color", [[255, 255, 255], [255, 40, 40]])
def test_what_another_threshold_adds_is_hatched_in_two_tones(page: Page, color: list[int]) -> None:
    shown = page.evaluate(PAINT, [module(page, "viewer/paint.js"), SIZE, color])
    known, added, rest = np.split(np.reshape(shown, (SIZE, SIZE, 4)), 3, axis=1)
    assert (known == [0, 220, 0, 255]).all() and (rest == 0).all()
    bright = (added == [*color, 255]).all(axis=2)
    dark = (added == [85, 85, 85, 255]).all(axis=2)
    assert (bright ^ dark).all() and bright.sum() == dark.sum()
