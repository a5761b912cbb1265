"""Image and mask move together, values stay in range, and a seed repeats a draw."""

import torch

from shared.recipe import Augmentation
from trainer.training.augment import Augment


def disc():
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    mask = ((rows - 24) ** 2 + (columns - 40) ** 2 < 100)[None]
    return mask.float().expand(3, -1, -1) * 0.8, mask


def drawn(options, crop=0, seed=0):
    torch.manual_seed(seed)
    return Augment(options, crop)(*disc())


def test_the_mask_follows_the_image():
    quiet = Augmentation(
        gamma=0, contrast=0, brightness=0, noise=0, blur=0, repeat_channel=0, missing_channel=0
    )
    for seed in range(20):
        image, mask = drawn(quiet, seed=seed)
        assert torch.mean(((image[0] > 0.4) == mask[0]).float()) > 0.98


def test_values_stay_in_range_and_shapes_are_kept():
    image, mask = drawn(Augmentation(), crop=48)
    assert image.shape == (3, 48, 48)
    assert mask.shape == (1, 48, 48)
    assert 0 <= image.min() <= image.max() <= 1
    assert set(mask.unique().tolist()) <= {0, 1}


def test_the_same_seed_draws_the_same_and_another_seed_does_not():
    first, again, other = (drawn(Augmentation(), seed=s)[0] for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_grey_upload_is_made_from_the_main_channel():
    options = Augmentation(repeat_channel=1.0, affine=0, noise=0, blur=0)
    image, _ = drawn(options)
    assert torch.equal(image[0], image[1])
    assert torch.equal(image[1], image[2])


def test_a_slice_in_grey_stays_grey():
    for seed in range(5):
        torch.manual_seed(seed)
        image, _ = Augment(Augmentation(), 0, main_channel=1)(*disc())
        assert image.shape == (3, 64, 64)
        assert torch.equal(image[0], image[1]) and torch.equal(image[1], image[2])


def test_a_slice_without_tumour_may_show_another_channel_alone_and_one_with_tumour_never_does():
    options = Augmentation(other_channel=1.0, repeat_channel=0, missing_channel=0, affine=0, noise=0, blur=0,
                           gamma=0, contrast=0, brightness=0)  # fmt: skip
    picture = torch.stack([torch.full((64, 64), level) for level in (0.2, 0.5, 0.8)])
    shown = set()
    for seed in range(20):
        torch.manual_seed(seed)
        free, _ = Augment(options, 0, main_channel=1)(picture, torch.zeros(1, 64, 64, dtype=torch.bool))
        assert torch.equal(free[0], free[1]) and torch.equal(free[1], free[2])
        shown.add(round(float(free.max()), 1))
        bearing, _ = Augment(options, 0, main_channel=1)(picture, torch.ones(1, 64, 64, dtype=torch.bool))
        assert torch.equal(bearing, picture)
    assert shown == {0.2, 0.8}
