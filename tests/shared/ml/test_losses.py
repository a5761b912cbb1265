"""One suite over every loss of the table, and values of each that were worked out by hand."""

import math
from inspect import signature

import pytest
import torch

from shared import catalog
from tests.shared.ml.losses import LossSuite


def build(name, **options):
    return catalog.load(catalog.LOSSES, name, "loss")(**options)


class TestLosses(LossSuite):
    @pytest.fixture(params=sorted(catalog.LOSSES))
    def entry(self, request):
        return request.param

    @pytest.fixture
    def loss(self, entry):
        return build(entry)

    @pytest.fixture
    def classes(self, entry):
        return 3 if catalog.LOSSES[entry].several_classes else 1

    def test_the_tables_defaults_are_the_losses_own(self, entry):
        taken = signature(catalog.load(catalog.LOSSES, entry, "loss")).parameters
        options = catalog.LOSSES[entry].options
        assert {n: p.default for n, p in taken.items()} == {
            n: option.default for n, option in options.items()
        }

    def test_the_limits_of_each_option_give_finite_values(self, entry, classes):
        logits = torch.linspace(-3, 3, 2 * 4 * 16 * 16).reshape(2, 4, 16, 16)
        logits = logits if classes > 1 else logits[:, :1]
        for name, option in catalog.LOSSES[entry].options.items():
            for value in (option.minimum, option.maximum):
                loss = build(entry, **{name: value})(logits, torch.ones(2, 1, 16, 16))
                assert loss.isfinite(), (name, value)


def slices(*probabilities):
    """Logits (B, 1, 1, W) of these probabilities, a row a slice."""
    return torch.logit(torch.tensor(probabilities, dtype=torch.float64)).float()[:, None, None, :]


def masks(*rows):
    return torch.tensor(rows, dtype=torch.float32)[:, None, None, :]


# Two slices of two pixels: one with a tumour pixel, of which 0.8 is found, and one without, in which 0.5 is.
LOGITS, TARGET = slices((0.8, 0.2), (0.5, 0.1)), masks((1, 0), (0, 0))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        # overlap 0.8, found 1.6, tumour 1
        ("dice", {"smooth": 1.0}, 1 - (2 * 0.8 + 1) / (1.6 + 1 + 1)),
        # the slices: (2 * 0.8 + 1) / (1 + 1 + 1) and 1 / (0.6 + 1)
        ("dice_per_sample", {"smooth": 1.0}, 1 - (2.6 / 3 + 1 / 1.6) / 2),
        ("tversky", {"alpha": 0.3, "beta": 0.7, "smooth": 0.0}, 1 - 0.8 / (0.8 + 0.3 * 0.8 + 0.7 * 0.2)),
        ("tversky", {"alpha": 0.5, "beta": 0.5, "smooth": 0.5}, 1 - 2.6 / 3.6),  # Dice with smooth = 1
        (
            "focal",
            {"gamma": 2.0, "alpha": 0.25},
            -(
                0.25 * 0.2**2 * math.log(0.8)
                + 0.75 * (0.2**2 * math.log(0.8) + 0.5**2 * math.log(0.5) + 0.1**2 * math.log(0.9))
            )
            / 4,
        ),
        (
            "focal",
            {"gamma": 0.0, "alpha": 0.5},  # half of the cross-entropy
            -(2 * math.log(0.8) + math.log(0.5) + math.log(0.9)) / 8,
        ),
        (
            "bce_dice",
            {"bce_weight": 2.0},
            -(2 * math.log(0.8) + math.log(0.5) + math.log(0.9)) / 2 + 1 - 2.6 / 3.6,
        ),
    ],
)
def test_values_worked_out_by_hand(name, options, expected):
    assert build(name, **options)(LOGITS, TARGET).item() == pytest.approx(expected, abs=1e-6)


def test_ce_dice_worked_out_by_hand():
    """One slice of two pixels, background and two classes: class 1 is shown and half found, class 2 is not shown."""
    probability = torch.tensor([[0.25, 0.5, 0.25], [0.8, 0.1, 0.1]])
    logits = probability.log().T[None, :, None, :]
    target = torch.tensor([1, 0])[None, None, None, :]
    cross_entropy = -(math.log(0.5) + math.log(0.8)) / 2
    dice = ((2 * 0.5 + 1) / (0.6 + 1 + 1) + 1 / (0.35 + 1)) / 2
    assert build("ce_dice", ce_weight=3.0)(logits, target).item() == pytest.approx(
        3 * cross_entropy + 1 - dice, abs=1e-6
    )


def test_a_small_tumour_weighs_as_much_as_a_large_one_where_each_slice_counts_by_itself():
    target = torch.zeros(2, 1, 16, 16)
    target[0, 0, :2, :2] = 1
    target[1, 0, 4:] = 1
    right = (target * 2 - 1) * 20.0
    small_missed, large_missed = right.clone(), right.clone()
    small_missed[0], large_missed[1] = -20, -20
    by_slice, by_batch = build("dice_per_sample"), build("dice")
    assert abs(by_slice(small_missed, target) - by_slice(large_missed, target)) < 0.11
    assert by_batch(large_missed, target) - by_batch(small_missed, target) > 0.8


def test_missed_tumour_costs_more_than_false_tumour_under_the_defaults_of_tversky():
    target = torch.zeros(1, 1, 8, 8)
    target[..., :4, :4] = 1
    missed, false = target.clone(), target.clone()
    missed[..., :2, :4] = 0
    false[..., 4:6, :4] = 1
    loss = build("tversky")
    assert loss((missed * 2 - 1) * 20, target) > loss((false * 2 - 1) * 20, target)
