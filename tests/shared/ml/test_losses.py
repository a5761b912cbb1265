"""One suite over every loss of the table."""

import pytest
import torch

from shared import catalog


@pytest.fixture(params=sorted(catalog.LOSSES))
def loss(request):
    return catalog.load(catalog.LOSSES, request.param, "loss")()


def target_with_disc():
    target = torch.zeros(2, 1, 16, 16)
    target[0, 0, 4:9, 4:9] = 1
    return target


def test_a_perfect_answer_costs_almost_nothing(loss):
    target = target_with_disc()
    assert loss((target * 2 - 1) * 50, target).item() < 0.01


def test_a_wrong_answer_costs_more_than_an_unsure_one_and_that_more_than_a_right_one(loss):
    target = target_with_disc()
    right, unsure, wrong = ((target * 2 - 1) * s for s in (3.0, 0.0, -3.0))
    assert loss(right, target) < loss(unsure, target) < loss(wrong, target)


def test_false_positives_on_empty_slices_are_charged(loss):
    empty = torch.zeros(2, 1, 16, 16)
    quiet, loud = torch.full_like(empty, -8.0), torch.full_like(empty, 8.0)
    assert loss(loud, empty) > loss(quiet, empty) + 0.5


def test_half_precision_logits_are_summed_in_single_precision(loss):
    logits = torch.randn(2, 1, 256, 256, dtype=torch.bfloat16, requires_grad=True)
    value = loss(logits, torch.ones(2, 1, 256, 256))
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(logits.grad).all()
