"""What every loss must do, whoever added it: inherit, and give the fixtures `loss` and `classes` (those of tumour)."""

import torch
from torch.nn import functional

HEIGHT, WIDTH = 16, 16


def target_with_tumour(classes: int) -> torch.Tensor:
    """Labels (2, 1, H, W): a square of each class in the first slice, none in the second."""
    target = torch.zeros(2, 1, HEIGHT, WIDTH)
    for label in range(1, classes + 1):
        target[0, 0, 4:9, 4 * label : 4 * label + 3] = label
    return target


def logits_that_say(target: torch.Tensor, classes: int, strength: float) -> torch.Tensor:
    """Logits for these labels; of a negative strength, against them."""
    if classes == 1:
        return (target * 2 - 1) * strength
    shown = functional.one_hot(target[:, 0].long(), classes + 1).movedim(-1, 1)
    return (shown * 2.0 - 1) * strength


class LossSuite:
    """Tests of one loss."""

    def test_a_perfect_answer_costs_almost_nothing(self, loss, classes):
        target = target_with_tumour(classes)
        assert 0 <= loss(logits_that_say(target, classes, 50.0), target).item() < 0.01

    def test_a_wrong_answer_costs_more_than_an_unsure_one_and_that_more_than_a_right_one(self, loss, classes):
        target = target_with_tumour(classes)
        right, unsure, wrong = (logits_that_say(target, classes, s) for s in (3.0, 0.0, -3.0))
        assert loss(right, target) < loss(unsure, target) < loss(wrong, target)

    def test_one_pixel_more_that_is_right_costs_less(self, loss, classes):
        target = target_with_tumour(classes)
        better = logits_that_say(target, classes, 3.0)
        worse = better.clone()
        worse[0, :, 4, 4] *= -1
        assert loss(better, target) < loss(worse, target)

    def test_false_positives_on_empty_slices_are_charged(self, loss, classes):
        empty = torch.zeros(2, 1, HEIGHT, WIDTH)
        quiet = logits_that_say(empty, classes, 8.0)
        loud = logits_that_say(empty + 1, classes, 8.0)
        assert loss(loud, empty) > loss(quiet, empty) + 0.3
        assert loss(logits_that_say(empty, classes, 50.0), empty) < 0.01

    def test_descending_finds_the_tumour(self, loss, classes):
        target = target_with_tumour(classes)
        logits = torch.zeros(2, 1 if classes == 1 else classes + 1, HEIGHT, WIDTH, requires_grad=True)
        optimizer = torch.optim.Adam([logits], lr=0.5)
        for _ in range(60):
            optimizer.zero_grad()
            loss(logits, target).backward()
            optimizer.step()
        found = logits > 0 if classes == 1 else logits.argmax(dim=1, keepdim=True)
        assert torch.equal(found.float(), target)

    def test_the_type_of_the_target_makes_no_difference(self, loss, classes):
        target = target_with_tumour(classes)
        logits = logits_that_say(target, classes, 1.0)
        assert loss(logits, target) == loss(logits, target.to(torch.uint8)) == loss(logits, target.long())

    def test_half_precision_logits_are_summed_in_single_precision(self, loss, classes):
        torch.manual_seed(0)
        shape = (2, 1 if classes == 1 else classes + 1, 256, 256)
        logits = torch.randn(shape, dtype=torch.bfloat16)
        target = torch.ones(2, 1, 256, 256)
        expected = loss(logits.float(), target)
        learned = logits.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(learned, target)
        value.backward()
        assert value.dtype == torch.float32
        assert torch.isclose(value, expected, rtol=1e-5)
        assert learned.grad.isfinite().all() and learned.grad.any()

    def test_gradients_of_very_sure_logits_are_finite(self, loss, classes):
        target = target_with_tumour(classes)
        for strength in (1e4, -1e4):
            logits = logits_that_say(target, classes, strength).requires_grad_()
            value = loss(logits, target)
            value.backward()
            assert value.isfinite() and logits.grad.isfinite().all()
