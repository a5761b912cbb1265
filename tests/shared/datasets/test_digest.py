"""A picture is known by its pixels, however its file is packed."""

import numpy as np

from shared.datasets.digest import BYTES, channel_digests, picture_digest


def picture(seed=0, channels=3):
    return np.random.default_rng(seed).integers(0, 255, (8, 9, channels)).astype(np.uint8)


def test_the_same_pixels_have_the_same_digest():
    assert picture_digest(picture()) == picture_digest(picture().copy(order="F"))
    assert len(picture_digest(picture())) == BYTES


def test_other_pixels_or_another_shape_have_another():
    changed = picture()
    changed[3, 3, 1] ^= 1
    turned = picture().reshape(9, 8, 3)
    assert len({picture_digest(p) for p in (picture(), changed, turned)}) == 3


def test_grey_is_the_same_in_one_channel_and_in_three():
    grey = picture(channels=1)
    assert picture_digest(grey) == picture_digest(np.repeat(grey, 3, axis=2))


def test_a_picture_is_known_by_each_of_its_channels():
    whole = picture(channels=4)
    assert len(channel_digests(whole)) == 4
    assert channel_digests(whole[..., [3, 1]]) < channel_digests(whole)
    whole[..., 2] = 0
    assert len(channel_digests(whole)) == 3


def test_pictures_of_one_value_are_no_evidence():
    assert picture_digest(np.full((8, 8, 3), 7, np.uint8)) is None
