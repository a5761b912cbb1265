"""One suite over every optimizer of the table."""

import copy

import pytest
import torch

from shared import catalog


@pytest.fixture(params=sorted(catalog.OPTIMIZERS))
def build(request):
    return catalog.load(catalog.OPTIMIZERS, request.param, "optimizer")


def groups(parameter, spared):
    return [{"params": [parameter], "weight_decay": 0.1}, {"params": [spared], "weight_decay": 0.0}]


def test_it_finds_the_lowest_place(build):
    parameter, spared = torch.nn.Parameter(torch.tensor([2.0, -3.0])), torch.nn.Parameter(torch.zeros(1))
    optimizer = build(groups(parameter, spared), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        ((parameter - 1).square().sum() + (spared - 1).square().sum()).backward()
        optimizer.step()
    assert parameter.detach().tolist() == pytest.approx([1, 1], abs=0.15)
    assert spared.item() == pytest.approx(1, abs=0.05)


def test_each_group_keeps_its_weight_decay_and_its_rate_can_be_changed(build):
    optimizer = build(groups(torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))), lr=0.5)
    assert [(g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [(0.5, 0.1), (0.5, 0.0)]


def test_a_checkpoint_of_it_goes_on_exactly(build):
    def step(optimizer, parameter):
        optimizer.zero_grad()
        parameter.square().sum().backward()
        optimizer.step()

    first, other = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = build([{"params": [first], "weight_decay": 0.01}], lr=0.1)
    step(optimizer, first)
    resumed = build([{"params": [other], "weight_decay": 0.01}], lr=0.1)
    other.data.copy_(first.data)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(optimizer, first)
    step(resumed, other)
    assert torch.equal(first, other)


def test_sgd_has_nesterovs_momentum():
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = catalog.load(catalog.OPTIMIZERS, "sgd", "optimizer")([{"params": [parameter]}], lr=0.1)
    for expected in (1 - 0.1 * 1.9, 1 - 0.1 * 1.9 - 0.1 * (1 + 0.9 * 1.9)):
        optimizer.zero_grad()
        parameter.sum().backward()  # gradient 1: the steps are 1.9 and 1 + 0.9 * (1 + 0.9)
        optimizer.step()
        assert parameter.item() == pytest.approx(expected)
