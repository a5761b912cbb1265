"""From the network's answer to the result that a client reads."""

import cv2
import numpy as np
import pytest

from shared.contract.errors import InferenceFailed
from shared.files.npy import to_npy
from shared.masks import rle
from shared.masks.binary_mask import threshold_level
from shared.pictures.label_png import read_label_png
from shared.registry.cards import Label
from tests.fakes.cards import card
from tests.fakes.inference import MEASURES, SIZE, served
from trainer.engines.engine import EngineOutput
from trainer.inference.pipeline import measured, pixels_of

NOT_STRANGE = np.zeros(MEASURES, np.float32)


def disc(size=SIZE, radius=8):
    y, x = np.mgrid[:size, :size]
    return (np.hypot(y - size / 2, x - size / 2) < radius).astype(np.float32) * 0.9


def said(probability_hw, strangeness_S, label_hw=None):
    return EngineOutput(
        probability_hw, strangeness_S, np.ones((1, 1), np.uint8) if label_hw is None else label_hw
    )


def test_several_classes_are_told_apart_and_counted():
    label_hw = np.ones((SIZE, SIZE), np.uint8)
    label_hw[: SIZE // 2] = 2
    labels = [Label(1, "core"), Label(2, "oedema")]
    model = served(card=card(classes=2, labels=labels))
    answer = measured(model, said(disc(), NOT_STRANGE, label_hw), (SIZE, SIZE), (0.5, 2.0), None)
    labels_HW = read_label_png(answer.labels_png)
    np.testing.assert_array_equal(labels_HW, rle.decode(answer.result["mask"]) * label_hw)
    for told, value, name in zip(answer.result["classes"], (1, 2), ("core", "oedema"), strict=True):
        area = int((labels_HW == value).sum())
        assert told == {
            "label": value, "name": name, "area_pixels": area, "area_mm2": area, "volume_mm3": None
        }  # fmt: skip
        assert area > 0


def test_a_binary_model_tells_no_classes():
    answer = measured(served(), said(disc(), NOT_STRANGE), (SIZE, SIZE), None, None)
    assert answer.labels_png is None
    assert "classes" not in answer.result


@pytest.mark.parametrize("size", [(SIZE, SIZE), (100, 60), (16, 200)])
def test_the_mask_is_that_of_the_published_map(size):
    answer = measured(served(), said(disc(), NOT_STRANGE), size, (0.5, 0.5), None)
    published = cv2.imdecode(np.frombuffer(answer.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert published.shape == size
    mask = rle.decode(answer.result["mask"])
    assert np.array_equal(mask, published >= threshold_level(0.5))
    assert answer.result["area_pixels"] == mask.sum() > 0
    assert answer.result["area_mm2"] == pytest.approx(mask.sum() * 0.25)


def test_the_requests_threshold_wins_over_the_models():
    strict = measured(served(), said(disc(), NOT_STRANGE), (SIZE, SIZE), None, 0.95)
    assert strict.result["threshold"] == 0.95
    assert strict.result["tumor_detected"] is False
    assert measured(served(), said(disc(), NOT_STRANGE), (SIZE, SIZE), None, None).result["threshold"] == 0.5


def test_a_threshold_of_zero_is_not_the_models():
    assert measured(served(), said(disc(), NOT_STRANGE), (SIZE, SIZE), None, 0.0).result["threshold"] == 0.0


def test_the_smallest_region_grows_with_the_upload():
    model = served(min_region_pixels=10)
    assert (
        measured(model, said(disc(radius=1), NOT_STRANGE), (SIZE, SIZE), None, None).result["area_pixels"]
        == 0
    )
    large = measured(model, said(disc(), NOT_STRANGE), (SIZE * 4, SIZE * 4), None, None)
    assert large.result["min_region_pixels"] == 160


def test_a_strange_image_gets_a_warning():
    model = served(unlike={"limits": [1.0, 1.0]})
    usual = measured(model, said(disc(), NOT_STRANGE), (SIZE, SIZE), None, None)
    strange = measured(model, said(disc(), np.full(MEASURES, 9, np.float32)), (SIZE, SIZE), None, None)
    assert usual.warnings == []
    assert [warning["code"] for warning in strange.warnings] == ["unlike_training_data"]


def test_a_model_without_a_limit_warns_of_nothing():
    strange = np.full(MEASURES, 1e6, np.float32)
    assert measured(served(unlike={}), said(disc(), strange), (SIZE, SIZE), None, None).warnings == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an array",
        to_npy(np.zeros((4, 4, 3), np.uint8))[:-1],
        to_npy(np.zeros((4, 4), np.uint8)),
        to_npy(np.zeros((4, 4, 2), np.uint8)),
        to_npy(np.zeros((4, 4, 3), np.float32)),
    ],
    ids=["empty", "text", "truncated", "flat", "two channels", "floats"],
)
def test_damaged_pixels_fail_the_job(data):
    with pytest.raises(InferenceFailed, match="stored pixels"):
        pixels_of(data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_stored_pixels_come_back_as_they_were(dtype, channels):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, channels)).astype(dtype)
    assert np.array_equal(pixels_of(to_npy(pixels)), pixels)
