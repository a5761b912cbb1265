"""Circles in the place of masks: inside the brain, on the bright place, and somewhere sensible in any picture."""

import cv2
import numpy as np
import pytest

from shared.datasets.synthetic_circle import brain_mask, place_circle


def head(side: int = 200, y: float = 0.6, x: float = 0.35, tumour: int = 120, seed: int = 0) -> np.ndarray:
    """uint8: a bright skull around a grey brain with a bright disc, whose centre is given as shares of the side."""
    rows, columns = np.mgrid[:side, :side] / side
    from_middle = np.hypot((rows - 0.5) / 0.45, (columns - 0.5) / 0.38)
    picture = np.where(from_middle < 1, 255, 0)
    picture = np.where(from_middle < 0.9, 90, picture)
    picture = picture + tumour * (np.hypot(rows - y, columns - x) < 0.08) * (from_middle < 0.9)
    noise = np.random.default_rng(seed).integers(0, 10, picture.shape)
    return np.clip(picture + noise * (from_middle < 1), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("y", "x"), [(0.6, 0.35), (0.3, 0.5), (0.5, 0.65), (0.72, 0.5)])
@pytest.mark.parametrize("side", [64, 200, 700])
def test_the_circle_lies_on_the_bright_place_and_not_on_the_skull(side: int, y: float, x: float) -> None:
    circle = place_circle(head(side, y, x))
    assert circle.in_brain and np.hypot(circle.y / side - y, circle.x / side - x) < 0.06
    assert 0.02 * side < circle.radius < 0.15 * side


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_circle_is_inside_the_brain(seed: int) -> None:
    place = np.random.default_rng(seed).uniform(0.1, 0.9, 2)
    picture = head(256, *place, seed=seed)
    brain, mask = brain_mask(picture), place_circle(picture).paint(256, 256)
    assert brain is not None and mask.any() and not (mask & ~brain).any()
    rows, columns = np.mgrid[:256, :256] / 256
    assert not brain[np.hypot((rows - 0.5) / 0.45, (columns - 0.5) / 0.38) >= 0.9].any()  # without the skull


def test_the_same_picture_has_the_same_circle_and_depth_makes_no_difference() -> None:
    picture = head()
    assert place_circle(picture) == place_circle(picture.copy())
    deep = place_circle(picture.astype(np.uint16) * 257)
    shallow = place_circle(picture)
    assert (round(deep.y), round(deep.x)) == (round(shallow.y), round(shallow.x))


def test_it_survives_being_made_smaller() -> None:
    mask = place_circle(head(1024)).paint(1024, 1024)
    small = cv2.resize(mask.astype(np.uint8), (128, 128), interpolation=cv2.INTER_NEAREST)
    assert small.mean() == pytest.approx(mask.mean(), rel=0.1) and small.sum() > 20


def test_paper_and_frames_around_the_head_are_not_the_brain() -> None:
    picture = head()
    paper = cv2.copyMakeBorder(picture, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255)
    framed = paper.copy()
    framed[:3] = framed[-3:] = framed[:, :3] = framed[:, -3:] = 0
    lines = cv2.copyMakeBorder(picture, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=0)
    lines[3:6, 3:-3] = lines[-6:-3, 3:-3] = lines[3:-3, 3:6] = lines[3:-3, -6:-3] = 255
    plain = place_circle(picture)
    for changed, shift in ((paper, 30), (framed, 30), (lines, 12)):
        circle = place_circle(changed)
        assert np.hypot(circle.y - shift - plain.y, circle.x - shift - plain.x) < 8 and circle.in_brain


ODD = {
    "black": np.zeros((100, 80), np.uint8),
    "white": np.full((100, 80), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8),
    "strip": np.random.default_rng(0).integers(0, 256, (16, 3000)).astype(np.uint8),
    "16 bit": np.random.default_rng(0).integers(0, 65536, (50, 90)).astype(np.uint16),
    "line": np.eye(64, dtype=np.uint8) * 255,
    "dot": (np.arange(6400) == 3000).reshape(80, 80).astype(np.uint8) * 255,
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_any_picture_has_a_circle_that_lies_inside_it(name: str) -> None:
    picture = ODD[name]
    height, width = picture.shape
    circle = place_circle(picture)
    assert circle.radius >= 0.5 and circle.paint(height, width).any()
    assert circle.radius - 1 <= circle.y <= height - circle.radius
    assert circle.radius - 1 <= circle.x <= width - circle.radius


def test_where_no_brain_is_found_the_brightest_place_is_taken_and_that_is_said() -> None:
    middle, dot = place_circle(ODD["black"]), place_circle(ODD["dot"])
    assert (middle.y, middle.x, middle.in_brain) == (49.5, 39.5, False)
    assert not dot.in_brain and np.hypot(dot.y - 37, dot.x - 40) < 3
