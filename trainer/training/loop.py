"""The training loop: knows tensors and a schedule, nothing of files; `on_epoch` and `on_step` are the only ways out."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import nn

from shared import catalog
from shared.contract.errors import LossNotFinite
from shared.ml.models.network import SegmentationNetwork
from shared.recipe import Recipe
from trainer.training.ema import Ema

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass
class State:
    """All that changes while training: what a checkpoint must hold."""

    network: SegmentationNetwork
    ema: Ema
    optimizer: torch.optim.Optimizer
    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps, over all epochs
    loss_sum: float = 0.0  # of the steps of the epoch that is not finished
    seconds: float = 0.0  # spent on them
    validation_losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch."""

    epoch: int
    train_loss: float
    learning_rate: float
    seconds: float


def new_state(network: SegmentationNetwork, recipe: Recipe, device: torch.device) -> State:
    """A state at step 0. Weight decay spares biases and normalisation, which it would only shrink."""
    # channels_last: what CPU and CUDA convolutions are fast in.
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    decayed = [p for p in network.parameters() if p.ndim > 1]
    spared = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = catalog.load(catalog.OPTIMIZERS, recipe.optimizer, "optimizer")(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": spared, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )
    return State(network, Ema(network, recipe.ema_decay), optimizer)


def train(
    state: State,
    batches: Callable[[int, int], Iterable[Batch]],
    steps_per_epoch: int,
    recipe: Recipe,
    device: torch.device,
    on_epoch: Callable[[State, EpochReport], None],
    on_step: Callable[[State], None] = lambda state: None,
) -> None:
    """Run what `state` has not finished. `batches(epoch, first)` are an epoch's, from its step `first` on.

    A step takes as many batches as the recipe's `gradient_accumulation` says. A callback that raises ends the run
    (cancel, early stop). LossNotFinite where the loss blows up.
    """
    loss_function = catalog.load(catalog.LOSSES, recipe.loss, "loss")(**recipe.loss_options)
    factor = catalog.load(catalog.SCHEDULES, recipe.schedule, "schedule")
    total = steps_per_epoch * recipe.epochs
    while state.epoch < recipe.epochs:
        rate = 0.0
        state.network.train()
        started = time.monotonic()
        feed = batches(state.epoch, state.step - state.epoch * steps_per_epoch)
        for together in _groups(feed, recipe.gradient_accumulation):
            rate = recipe.learning_rate * factor(state.step / total, state.validation_losses)
            # Drawn anew for each step, so that dropout is the same after a resumption.
            torch.manual_seed(recipe.seed * 1_000_003 + state.step)
            state.loss_sum += _step(state, together, loss_function, rate, recipe, device)
            now = time.monotonic()
            state.seconds, started = state.seconds + now - started, now
            on_step(state)
        state.epoch += 1
        report = EpochReport(state.epoch, state.loss_sum / steps_per_epoch, rate, state.seconds)
        state.loss_sum = state.seconds = 0.0
        on_epoch(state, report)


def _groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    iterator = iter(batches)
    while group := list(islice(iterator, size)):
        yield group


def _step(
    state: State,
    batches: list[Batch],
    loss_function: nn.Module,
    rate: float,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """One change of the weights, by the mean gradient of these batches; returns their mean loss."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for batch in batches:
        images, masks = (tensor.to(device, non_blocking=True) for tensor in batch)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.autocast):
            logits = state.network(images)
        loss = loss_function(logits, masks) / len(batches)  # outside autocast: the loss is fp32
        if not torch.isfinite(loss):
            raise LossNotFinite(f"The loss is {loss.item()} at step {state.step}: try a lower learning rate.")
        loss.backward()
        total += float(loss.detach())
    if recipe.gradient_clip:
        nn.utils.clip_grad_norm_(state.network.parameters(), recipe.gradient_clip)
    state.optimizer.step()
    state.ema.update(state.network, state.step)
    state.step += 1
    return total
