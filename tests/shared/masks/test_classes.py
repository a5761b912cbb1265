import numpy as np
import pytest

from shared.masks.classes import classes_of

CLASSES = [(1, "necrotic core"), (2, "oedema"), (3, "enhancing")]


def test_each_class_has_its_own_size_in_the_order_given():
    labels = np.zeros((4, 10, 10), np.uint8)
    labels[1, :2, :5], labels[2, 0, :3] = 2, 3
    got = classes_of(labels, CLASSES, pixel_mm2=0.5, voxel_mm3=1.5)
    assert [(one["label"], one["name"], one["area_pixels"]) for one in got] == [
        (1, "necrotic core", 0), (2, "oedema", 10), (3, "enhancing", 3)
    ]  # fmt: skip
    assert (got[1]["area_mm2"], got[1]["volume_mm3"]) == (5.0, 15.0)
    assert got[0]["volume_mm3"] == 0.0


@pytest.mark.parametrize("pixel_mm2", [None, 0.5])
def test_a_picture_has_no_volume_and_without_spacing_no_area(pixel_mm2):
    labels = np.array([[0, 1], [1, 9]], np.uint8)
    got = classes_of(labels, CLASSES[:1], pixel_mm2=pixel_mm2)
    area = None if pixel_mm2 is None else 1.0
    expected = {
        "label": 1,
        "name": "necrotic core",
        "area_pixels": 2,
        "area_mm2": area,
        "volume_mm3": None,
    }
    assert got == [expected]
